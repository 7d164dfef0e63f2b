#include "vault/keys/key_tree.h"

#include <algorithm>

#include "vault/keys/key_tree_impl.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kHourKeyAt = 16;
constexpr std::size_t kVehicleKeyAt = 16;
constexpr std::uint64_t kPresent = 1;

Hour DiesAt(const std::uint8_t* slot) { return Hour{GetLe<std::int64_t>(slot)}; }
void SetDiesAtOf(std::uint8_t* slot, Hour hour) { std::memcpy(slot, &hour.value, 8); }

void CopyKey(const std::uint8_t* from, seal::SecretKey& key) {
  std::copy_n(from, seal::kKeyBytes, key.data());
}

}  // namespace

KeyTreeImpl::KeyTreeImpl(Disk& disk, Random& random, KeyProvider& provider, Counters& counters,
                         const KeyTreeOptions& options)
    : disk_(disk),
      random_(random),
      provider_(provider),
      keys_damaged_(counters.Get("keys_damaged")),
      replica_failures_(counters.Get("key_replica_failures")),
      folder_(disk, options.folder) {
  for (const std::string& path : options.replicas) {
    replicas_.push_back(Replica{.folder = TreeFolder(disk, path), .owed = {}});
  }
}

Page* KeyTreeImpl::Find(const PageId& id) const {
  const auto found = pages_.find(id);
  return found == pages_.end() ? nullptr : found->second.get();
}

Page& KeyTreeImpl::MakePage(const PageId& id) {
  std::unique_ptr<Page>& page = pages_[id];
  page = std::make_unique<Page>(id);
  random_.Fill({page->key(), seal::kKeyBytes});
  all_locked_ = all_locked_ && page->locked();
  if (id.of_vehicles()) {
    const auto number = static_cast<std::size_t>(id.number);
    auto& by_number = vehicle_pages_.by_number;
    if (by_number.size() <= number) by_number.resize(number + 1);
    by_number[number] = page.get();
  }
  return *page;
}

void KeyTreeImpl::DropPage(const PageId& id) {
  if (id.of_vehicles()) {
    vehicle_pages_.by_number[static_cast<std::size_t>(id.number)] = nullptr;
  }
  pages_.erase(id);
}

VehicleRef VehiclePages::operator()(Ordinal ordinal) const {
  VehicleRef ref;
  const std::size_t number = ordinal.value / kVehiclesPerPage;
  const Page* page = number < by_number.size() ? by_number[number] : nullptr;
  if (page != nullptr) std::copy_n(page->slot(SlotOf(ordinal)), ref.bytes.size(), ref.bytes.data());
  return ref;
}

std::optional<Ordinal> KeyTreeImpl::OrdinalIn(const VehicleRef& vehicle) const {
  return index_.Find(vehicle, vehicle_pages_);
}

std::uint8_t* KeyTreeImpl::HourSlot(const HourKeyId& id) const {
  Page* page = Find(PageId::Of(id));
  if (page == nullptr || page->damaged || !page->Has(SlotOf(id))) return nullptr;
  return page->slot(SlotOf(id));
}

Status KeyTreeImpl::PutHour(const HourKeyId& id, Hour dies_at, Key key) {
  const PageId page_id = PageId::Of(id);
  if (!page_id.known()) return Error{Code::kInvalid, "no such hour or retention class"};
  Page* page = Find(page_id);
  if (page != nullptr && page->damaged) {
    // New frames of the hour must be stored; what the damaged file had is lost with its page key.
    DropPage(page_id);
    page = nullptr;
    rotation_owed_ = true;
  }
  if (page == nullptr) page = &MakePage(page_id);
  std::uint8_t* slot = page->slot(SlotOf(id));
  SetDiesAtOf(slot, dies_at);
  std::memcpy(slot + 8, &kPresent, sizeof kPresent);
  std::copy(key.begin(), key.end(), slot + kHourKeyAt);
  ++page->alive;
  page->dirty = true;
  unflushed_hours_.emplace(id, std::nullopt);
  return Ok();
}

Status KeyTreeImpl::EnsureHour(const HourKeyId& id, Hour dies_at) {
  MutexLock lock(mutex_);
  if (HourSlot(id) != nullptr) return Ok();
  seal::SecretKey key;
  random_.Fill({key.data(), key.size()});
  return PutHour(id, dies_at, KeyOf(key));
}

Status KeyTreeImpl::ImportHour(const HourKeyId& id, Hour dies_at, const seal::SecretKey& key) {
  MutexLock lock(mutex_);
  if (const std::uint8_t* slot = HourSlot(id)) {
    if (std::equal(key.data(), key.data() + key.size(), slot + kHourKeyAt)) return Ok();
    return Error{Code::kExists, "the hour has another key already"};
  }
  return PutHour(id, dies_at, KeyOf(key));
}

Result<Ordinal> KeyTreeImpl::EnsureVehicle(const VehicleRef& vehicle) {
  if (vehicle == VehicleRef{}) return Error{Code::kInvalid, "a vehicle_ref of zeros is none"};
  MutexLock lock(mutex_);
  if (const auto ordinal = OrdinalIn(vehicle)) return *ordinal;
  if (next_ordinal_.value == UINT32_MAX) return Error{Code::kTooBig, "no ordinal is left"};
  const Ordinal ordinal = next_ordinal_;
  Page* page = Find(PageId::Of(ordinal));
  if (page == nullptr) page = &MakePage(PageId::Of(ordinal));
  std::uint8_t* slot = page->slot(SlotOf(ordinal));
  std::copy(vehicle.bytes.begin(), vehicle.bytes.end(), slot);
  random_.Fill({slot + kVehicleKeyAt, seal::kKeyBytes});
  index_.Add(vehicle, ordinal, vehicle_pages_);
  page->used = SlotOf(ordinal) + 1;
  ++page->alive;
  page->dirty = true;
  ++next_ordinal_.value;
  return ordinal;
}

void KeyTreeImpl::DropUnflushedVehicles(Page& page) {
  for (std::uint32_t at = page.durable_used; at < page.used; ++at) {
    if (!page.Has(at)) continue;
    VehicleRef ref;
    std::copy_n(page.slot(at), ref.bytes.size(), ref.bytes.data());
    index_.Remove(ref, vehicle_pages_);
    page.WipeSlot(at);
    --page.alive;
  }
  page.used = page.durable_used;
}

void KeyTreeImpl::DropUnflushedHours() {
  for (const auto& [id, died_at] : unflushed_hours_) {
    Page* page = Find(PageId::Of(id));
    if (page == nullptr || !page->Has(SlotOf(id))) continue;
    if (died_at.has_value()) {
      SetDiesAtOf(page->slot(SlotOf(id)), *died_at);
    } else {
      page->WipeSlot(SlotOf(id));
      --page->alive;
    }
  }
  unflushed_hours_.clear();
}

void KeyTreeImpl::DropUnflushed() {
  MutexLock lock(mutex_);
  DropUnflushedHours();
  std::vector<PageId> never_durable;
  for (const auto& [id, page] : pages_) {
    if (!page->dirty) continue;
    if (id.of_vehicles()) DropUnflushedVehicles(*page);
    if (!page->in_root) never_durable.push_back(id);
    // Its file may have more than this: the next Flush() sets that right.
    page->dirty = page->attempted || page->rekey;
  }
  for (const PageId& id : never_durable) {
    if (Find(id)->attempted && root_uncertain_) rotation_owed_ = true;
    DropPage(id);
  }
  // Ordinals that no durable page has are given again: nobody was told of them.
  std::uint64_t next = 0;
  for (const auto& [id, page] : pages_) {
    if (!id.of_vehicles()) continue;
    const auto first = static_cast<std::uint64_t>(id.number) * kVehiclesPerPage;
    next = std::max(next, first + (page->damaged ? kVehiclesPerPage : page->used));
  }
  next_ordinal_ = std::max(durable_next_, Ordinal{static_cast<std::uint32_t>(next)});
}

Status KeyTreeImpl::SetDiesAt(const HourKeyId& id, Hour dies_at) {
  MutexLock lock(mutex_);
  std::uint8_t* slot = HourSlot(id);
  if (slot == nullptr) return Error{Code::kNotFound, "the hour has no key"};
  if (dies_at >= DiesAt(slot)) return Ok();
  unflushed_hours_.emplace(id, DiesAt(slot));
  SetDiesAtOf(slot, dies_at);
  Find(PageId::Of(id))->dirty = true;
  return Ok();
}

Status KeyTreeImpl::CopyHour(const HourKeyId& id, seal::SecretKey& key) const {
  MutexLock lock(mutex_);
  const std::uint8_t* slot = HourSlot(id);
  if (slot == nullptr) return Error{Code::kNotFound, "the hour's key is destroyed"};
  CopyKey(slot + kHourKeyAt, key);
  return Ok();
}

Status KeyTreeImpl::CopyVehicle(const VehicleRef& vehicle, seal::SecretKey& key) const {
  MutexLock lock(mutex_);
  const auto ordinal = OrdinalIn(vehicle);
  if (!ordinal.has_value()) return Error{Code::kNotFound, "the vehicle's key is destroyed"};
  CopyKey(Find(PageId::Of(*ordinal))->slot(SlotOf(*ordinal)) + kVehicleKeyAt, key);
  return Ok();
}

Result<Ordinal> KeyTreeImpl::OrdinalOf(const VehicleRef& vehicle) const {
  MutexLock lock(mutex_);
  const auto ordinal = OrdinalIn(vehicle);
  if (!ordinal.has_value()) return Error{Code::kNotFound, "the vehicle has no key"};
  return *ordinal;
}

Result<VehicleRef> KeyTreeImpl::VehicleAt(Ordinal ordinal) const {
  MutexLock lock(mutex_);
  const VehicleRef ref = vehicle_pages_(ordinal);
  if (ref == VehicleRef{}) return Error{Code::kNotFound, "no vehicle has this ordinal"};
  return ref;
}

std::vector<HourKeyInfo> KeyTreeImpl::Hours() const {
  MutexLock lock(mutex_);
  std::vector<HourKeyInfo> hours;
  for (const auto& [id, page] : pages_) {
    if (id.of_vehicles() || page->damaged) continue;
    for (std::uint32_t at = 0; at < kHoursPerPage; ++at) {
      if (!page->Has(at)) continue;
      hours.push_back({{RetentionClass{id.kind}, Hour{id.number * kHoursPerPage + at}},
                       DiesAt(page->slot(at))});
    }
  }
  return hours;
}

std::uint64_t KeyTreeImpl::vehicles() const {
  MutexLock lock(mutex_);
  return index_.size();
}

Ordinal KeyTreeImpl::next_ordinal() const {
  MutexLock lock(mutex_);
  return next_ordinal_;
}

bool KeyTreeImpl::locked() const {
  MutexLock lock(mutex_);
  return all_locked_;
}

// Destruction in memory ------------------------------------------------------------------------

void KeyTreeImpl::Touch(Page& page) {
  page.dirty = true;
  if (!page.in_root && !page.attempted) return;  // no file has it
  page.rekey = true;
  rotation_owed_ = true;
}

// A key that is not known may be in a file that does not open, or that a failed Flush() left.
void KeyTreeImpl::TouchUncertain(const PageId& id) {
  Page* page = Find(id);
  if (page != nullptr && (page->damaged || page->attempted)) Touch(*page);
}

void KeyTreeImpl::ForgetHour(const HourKeyId& id) {
  const PageId page_id = PageId::Of(id);
  unflushed_hours_.erase(id);
  if (HourSlot(id) == nullptr) return TouchUncertain(page_id);
  Page& page = *Find(page_id);
  page.WipeSlot(SlotOf(id));
  --page.alive;
  Touch(page);
}

bool KeyTreeImpl::ForgetVehicle(const VehicleRef& vehicle) {
  const auto ordinal = OrdinalIn(vehicle);
  if (!ordinal.has_value()) return false;
  index_.Remove(vehicle, vehicle_pages_);
  Page& page = *Find(PageId::Of(*ordinal));
  page.WipeSlot(SlotOf(*ordinal));
  --page.alive;
  Touch(page);
  return true;
}

Status KeyTreeImpl::Destroy(std::span<const HourKeyId> hours,
                            std::span<const VehicleRef> vehicles) {
  {
    MutexLock lock(mutex_);
    for (const HourKeyId& id : hours) ForgetHour(id);
    bool all_known = true;
    for (const VehicleRef& vehicle : vehicles) all_known = ForgetVehicle(vehicle) && all_known;
    for (const auto& [id, page] : pages_) {
      if (!all_known && id.of_vehicles()) TouchUncertain(id);
    }
  }
  SetPending();
  return Retry();
}

}  // namespace telltale::vault
