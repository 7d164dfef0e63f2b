#include "vault/store.h"

#include <algorithm>

#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

using Entries = std::vector<std::pair<std::uint64_t, std::string>>;
constexpr Micros kEnd{1ll << 60};

class StoreTest : public VaultTest {
 protected:
  FrameRef FirstRef(const Store& store, std::uint8_t vehicle = 1) {
    const auto refs = store.Find(VehicleOf(vehicle), FrameClass::kData, Micros{0}, kEnd);
    EXPECT_TRUE(refs.ok() && !refs->empty());
    return refs->at(0);
  }
  int Receipts(Store& store) {
    int receipts = 0;
    EXPECT_TRUE(store.audit()
                    .List(1, 10'000,
                          [&](std::string_view line) {
                            receipts += line.find("\"event\":\"destroyed\"") != line.npos ? 1 : 0;
                          })
                    .ok());
    return receipts;
  }
  bool HasKey(const OpenedVault& vault, Hour hour) {
    seal::SecretKey key;
    return vault.folder().keys().CopyHour({RetentionClass::kPosition, hour}, key).ok();
  }
};

TEST_F(StoreTest, AFrameIsFoundAfterItsCommitAndAfterARestart) {
  const std::string place = LatitudeWire(48.1371541);
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({.seq = 5, .fields = place})).ok());
    EXPECT_TRUE(EntriesOf(*store, 1).empty()) << "not before it is durable";
    ASSERT_TRUE(store->Commit({"place one"}).ok());
    EXPECT_EQ(EntriesOf(*store, 1), (Entries{{5, place}}));
    EXPECT_TRUE(EntriesOf(*store, 2).empty());
  }
  disk_.Crash(1);
  const auto store = OpenStore();
  EXPECT_EQ(EntriesOf(*store, 1), (Entries{{5, place}}));
  EXPECT_EQ(store->positions(), std::vector<std::string>{"place one"});
}

TEST_F(StoreTest, OnlyCiphertextIsOnTheDiskFromTheFirstWrite) {
  std::string place;
  PutLe(place, 48.1371541);
  ASSERT_TRUE(WriteFileDurably(disk_, "/vault/planted", "xx" + place).ok());
  EXPECT_EQ(FilesWith(disk_, "/vault", place), 1) << "the search itself finds what is there";
  ASSERT_TRUE(disk_.Remove("/vault/planted").ok());
  const auto store = OpenStore();
  for (std::uint64_t seq = 0; seq < 20; ++seq) {
    ASSERT_TRUE(store->Put(FrameOf({.seq = seq, .fields = LatitudeWire(48.1371541)})).ok());
    if (seq % 7 == 0) {
      ASSERT_TRUE(store->Commit({}).ok());
    }
    EXPECT_EQ(FilesWith(disk_, "/vault", place), 0);
  }
}

TEST_F(StoreTest, ABatchOverTwoHoursDiesInTwoParts) {
  const auto store = OpenStore();
  Frame frame = FrameOf({.seq = 1, .event_time = kNow - Micros{1}});
  frame.entries.push_back({2, kNow, {}, "second"});
  ASSERT_TRUE(store->Put(std::move(frame)).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  ASSERT_EQ(EntriesOf(*store, 1).size(), 2u);
  clock_.Advance(kWindow - Micros{kHourUs});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_EQ(EntriesOf(*store, 1), (Entries{{2, "second"}}));
}

TEST_F(StoreTest, AtTheStartOfItsHourKeyAndSegmentAreGoneAndNothingOpensTheBytes) {
  const auto store = OpenStore();
  ASSERT_TRUE(store->Put(FrameOf({.seq = 5, .event_time = kNow + Micros{1}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  const Hour hour = HourOf(kNow);
  const FrameRef ref = FirstRef(*store);
  Store::FrameReader reader(*store);
  ASSERT_TRUE(reader.Read(ref).ok());

  clock_.Advance(kWindow - Micros{1});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_TRUE(HasKey(store, hour)) << "not before its hour";
  clock_.Advance(Micros{1});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_FALSE(HasKey(store, hour));
  EXPECT_FALSE(disk_.Exists(ref.segment->path));
  EXPECT_EQ(reader.Read(ref).error().code, Code::kNotFound) << "what was cached is shut too";
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(counters_.Get("hours_destroyed").value(), 1u);
  EXPECT_EQ(Receipts(*store), 1);
}

TEST_F(StoreTest, DataThatIsTooOldOnArrivalIsRefusedAndCounted) {
  const auto store = OpenStore();
  const Micros edge = kNow - kWindow;  // its hour begins now
  EXPECT_EQ(*store->Put(FrameOf({.seq = 1, .event_time = edge})), Outcome::kExpired);
  EXPECT_EQ(*store->Put(FrameOf({.seq = 2, .event_time = Micros{0}})), Outcome::kExpired);
  EXPECT_EQ(*store->Put(FrameOf({.seq = 3, .event_time = Micros{INT64_MIN}})), Outcome::kExpired);
  EXPECT_EQ(*store->Put(FrameOf({.seq = 4, .event_time = edge + Micros{kHourUs}})),
            Outcome::kStored);
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_EQ(counters_.Drops("vault", Reason::kExpiredOnArrival).value(), 3u);
  ASSERT_EQ(EntriesOf(*store, 1).size(), 1u);
}

TEST_F(StoreTest, AnEventTimeOrReceiptAheadDoesNotBuyALongerLife) {
  const auto store = OpenStore();
  const Micros ahead = kNow + Micros{400 * kDay};
  ASSERT_TRUE(store->Put(FrameOf({.event_time = ahead, .receipt_time = ahead})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_TRUE(HasKey(store, HourOf(kNow)));
}

TEST_F(StoreTest, AnHourThatWasDestroyedStaysClosedWhenTheClockGoesBack) {
  const auto store = OpenStore();
  clock_.Advance(Micros{kDay});
  ASSERT_TRUE(store->Put(FrameOf({.event_time = kNow + Micros{kDay}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  clock_.Advance(kWindow);
  ASSERT_TRUE(store->Expire().ok());
  clock_.JumpUtc(Micros{-kWindow.value});
  ASSERT_TRUE(store->Put(FrameOf({.seq = 9, .event_time = kNow + Micros{kDay}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_GE(counters_.Drops("vault", Reason::kExpiredOnArrival).value(), 1u);
}

TEST_F(StoreTest, AClockThatJumpsDestroysNothingUntilItIsConfirmedAndShowsNothingMore) {
  const auto store = OpenStore();
  ASSERT_TRUE(store->Put(FrameOf({})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  const FrameRef ref = FirstRef(*store);
  clock_.JumpUtc(kWindow + Micros{kDay});
  store->guard().Look();
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_TRUE(HasKey(store, HourOf(kNow))) << "a bad clock is not a mass erase";
  EXPECT_FALSE(store->IsReadable(ref.segment->head, kNow)) << "but the edge holds for readers";
  ASSERT_TRUE(store->ConfirmClock().ok());
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_FALSE(HasKey(store, HourOf(kNow)));
}

TEST_F(StoreTest, AClockThatWasConfirmedIsNotDoubtedAgainAfterACrash) {
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    clock_.JumpUtc(kWindow + Micros{kDay});
    store->guard().Look();
    ASSERT_TRUE(store->ConfirmClock().ok());
  }
  disk_.Crash(1);
  const auto store = OpenStore();
  EXPECT_TRUE(store->guard().is_trusted());
  EXPECT_FALSE(HasKey(store, HourOf(kNow)));
}

TEST_F(StoreTest, TheEdgeForReadersIsExact) {
  const auto store = OpenStore();
  const Micros basis = kNow - Micros{1234};
  ASSERT_TRUE(store->Put(FrameOf({.event_time = basis})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  const SegmentHead head = FirstRef(*store).segment->head;
  clock_.Advance(kWindow - Micros{1234} - Micros{1});
  EXPECT_TRUE(store->IsReadable(head, basis));
  clock_.Advance(Micros{1});
  EXPECT_FALSE(store->IsReadable(head, basis));
}

TEST_F(StoreTest, AClassWithoutAWindowIsNotStored) {
  Windows windows = Windows::Days(kWindowDays);
  windows.Set(RetentionClass::kQuarantine, 0);
  const auto store = OpenStore(windows);
  Frame frame = FrameOf({});
  frame.frame_class = FrameClass::kQuarantine;
  EXPECT_EQ(*store->Put(std::move(frame)), Outcome::kWindowZero);
  EXPECT_EQ(*store->Put(FrameOf({})), Outcome::kStored);
  EXPECT_EQ(counters_.Drops("vault", Reason::kWindowZero).value(), 1u);
}

TEST_F(StoreTest, AShorterWindowHoldsForWhatIsStoredAndALongerOneDoesNot) {
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
  }
  {
    const auto store = OpenStore(Windows::Days(10));
    clock_.Advance(Micros{9 * kDay});
    ASSERT_TRUE(store->Expire().ok());
    EXPECT_EQ(EntriesOf(*store, 1).size(), 1u);
  }
  const auto store = OpenStore(Windows::Days(60));
  const SegmentHead head = FirstRef(*store).segment->head;
  clock_.Advance(Micros{kDay});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_FALSE(HasKey(store, HourOf(kNow))) << "ten days, although the window is sixty now";
  EXPECT_EQ(head.window_hours, kWindowDays * 24);
}

TEST_F(StoreTest, TwoVehiclesFramesSwappedInTheFileDoNotOpen) {
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 1})).ok());
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 5})).ok());  // the same partition
    ASSERT_TRUE(store->Commit({}).ok());
    const FrameRef first = FirstRef(*store, 1);
    const FrameRef second = FirstRef(*store, 5);
    ASSERT_EQ(first.segment, second.segment);
    ASSERT_EQ(first.span.bytes, second.span.bytes);
    // The ciphertexts change places, then also the whole frames.
    std::string bytes = *ReadWholeFile(disk_, first.segment->path);
    for (const std::size_t skip : {kFrameHeadBytes, std::size_t{0}}) {
      std::string swapped = bytes;
      const std::size_t size = first.span.bytes - skip;
      swapped.replace(first.span.at + skip, size, bytes.substr(second.span.at + skip, size));
      swapped.replace(second.span.at + skip, size, bytes.substr(first.span.at + skip, size));
      ASSERT_TRUE(WriteFileDurably(disk_, first.segment->path, swapped).ok());
      Store::FrameReader reader(*store);
      EXPECT_FALSE(reader.Read(first).ok());
      EXPECT_FALSE(reader.Read(second).ok());
    }
  }
  const auto store = OpenStore();
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(counters_.Get("segments_damaged").value(), 1u);
}

TEST_F(StoreTest, AFrameOpensOnlyUnderBothParentsAndAtItsPlace) {
  const auto store = OpenStore();
  ASSERT_TRUE(store->Put(FrameOf({.vehicle = 1})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  const FrameRef ref = FirstRef(*store);
  const std::string stored =
      ReadWholeFile(disk_, ref.segment->path)->substr(ref.span.at, ref.span.bytes);
  const SegmentHead head = ref.segment->head;
  ParentKeys parents;
  KeyTree& keys = store.folder().keys();
  ASSERT_TRUE(keys.CopyHour({RetentionClass::kPosition, head.hour}, parents.hour).ok());
  ASSERT_TRUE(keys.CopyVehicle(VehicleOf(1), parents.vehicle).ok());
  EXPECT_TRUE(FrameCipher::Make(head)->Open(parents, AsBytes(stored)).ok());
  const auto opens_with = [&](const std::function<void(SegmentHead&)>& change) {
    SegmentHead changed = head;
    change(changed);
    return FrameCipher::Make(changed)->Open(parents, AsBytes(stored)).ok();
  };
  EXPECT_FALSE(opens_with([](SegmentHead& h) { h.hour.value += 1; }));
  EXPECT_FALSE(opens_with([](SegmentHead& h) { h.retention_class = RetentionClass::kHold; }));
  EXPECT_FALSE(opens_with([](SegmentHead& h) { h.partition.value += 1; }));
  EXPECT_FALSE(opens_with([](SegmentHead& h) { h.number += 1; }));
  EXPECT_FALSE(opens_with([](SegmentHead& h) { h.window_hours += 1; }));
  for (seal::SecretKey* key : {&parents.hour, &parents.vehicle}) {
    key->data()[7] = static_cast<std::uint8_t>(key->data()[7] ^ 1);
    EXPECT_FALSE(FrameCipher::Make(head)->Open(parents, AsBytes(stored)).ok());
    key->data()[7] = static_cast<std::uint8_t>(key->data()[7] ^ 1);
  }
}

TEST_F(StoreTest, EveryByteOfAFrameIsGuarded) {
  ParentKeys parents;
  parents.hour.data()[0] = 1;
  SegmentHead head;
  head.hour = HourOf(kNow);
  auto cipher = *FrameCipher::Make(head);
  std::string bytes;
  ASSERT_TRUE(cipher.Seal(parents, FrameOf({}), 0, bytes).ok());
  ASSERT_TRUE(cipher.Open(parents, AsBytes(bytes)).ok());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_FALSE(cipher.Open(parents, AsBytes(changed)).ok()) << i;
    EXPECT_FALSE(cipher.Open(parents, AsBytes(bytes).first(i)).ok()) << i;
  }
}

TEST_F(StoreTest, NoKeyAndNonceIsUsedTwiceAcrossRestartsAndRollbacks) {
  std::set<std::string> salts;
  std::size_t segments = 0;
  for (int run = 0; run < 4; ++run) {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    store->Rollback();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
  }
  ForEachFile(disk_, "/vault/segments", [&](const std::string&, const std::string& content) {
    const auto head = SegmentHead::Parse(AsBytes(content));
    ASSERT_TRUE(head.ok());
    salts.insert(HexEncode(head->salt));
    ++segments;
  });
  EXPECT_EQ(segments, 8u);
  EXPECT_EQ(salts.size(), segments);
}

TEST_F(StoreTest, AFinishedSegmentIsFoundByItsIndexAndAroundADamagedOne) {
  std::string path;
  {
    const auto store = OpenStore();
    for (std::uint64_t seq = 0; seq < 300; ++seq) {
      const auto vehicle = static_cast<std::uint8_t>(4 * (seq % 60) + 1);
      ASSERT_TRUE(store->Put(FrameOf({.vehicle = vehicle, .seq = seq})).ok());
    }
    ASSERT_TRUE(store->Commit({}).ok());
    clock_.Advance(Micros::Seconds(601));
    ASSERT_TRUE(store->CloseQuiet().ok());
    EXPECT_EQ(EntriesOf(*store, 5).size(), 5u);
    EXPECT_TRUE(EntriesOf(*store, 2).empty());
    path = FirstRef(*store).segment->path;
  }
  std::string bytes = *ReadWholeFile(disk_, path);
  bytes[bytes.size() - 3000] = static_cast<char>(bytes[bytes.size() - 3000] ^ 1);
  ASSERT_TRUE(WriteFileDurably(disk_, path, bytes).ok());
  const auto store = OpenStore();
  EXPECT_EQ(counters_.Get("indexes_damaged").value(), 0u) << "nothing is scanned at start";
  for (int vehicle = 1; vehicle < 240; vehicle += 4) {
    EXPECT_EQ(EntriesOf(*store, static_cast<std::uint8_t>(vehicle)).size(), 5u) << vehicle;
  }
  EXPECT_GT(counters_.Get("indexes_damaged").value(), 0u);
}

TEST_F(StoreTest, ACatalogueThatIsDamagedOrMissingIsNotGuessed) {
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
  }
  const std::string catalog = *ReadWholeFile(disk_, "/vault/vault.db");
  ASSERT_TRUE(WriteFileDurably(disk_, "/vault/vault.db", catalog.substr(1)).ok());
  EXPECT_EQ(TryOpen().error().code, Code::kCorrupt);
  ASSERT_TRUE(disk_.Remove("/vault/vault.db").ok());
  EXPECT_EQ(TryOpen().error().code, Code::kCorrupt);
}

TEST_F(StoreTest, ANewerSegmentIsLeftOutAndKeptToTheByte) {
  std::string path;
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    path = FirstRef(*store).segment->path;
  }
  std::string newer = *ReadWholeFile(disk_, path);
  newer[4] = 4;  // version
  newer[5] = 3;  // minimum reader
  newer += "what a newer writer may have put here";
  EXPECT_EQ(SegmentHead::Parse(AsBytes(newer)).error().ToString(),
            "unsupported: a vault segment: made by format version 4, needs a reader of version 3; "
            "this telltale reads up to 2: use a newer telltale");
  ASSERT_TRUE(WriteFileDurably(disk_, path, newer).ok());
  const auto store = OpenStore();
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(*ReadWholeFile(disk_, path), newer);
}

TEST_F(StoreTest, AKeyThatIsGoneMeansTheHourIsGone) {
  std::string segment;
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    segment = FirstRef(*store).segment->path;
    const std::array<HourKeyId, 1> ids{HourKeyId{RetentionClass::kPosition, HourOf(kNow)}};
    ASSERT_TRUE(store.folder().keys().Destroy(ids, {}).ok());
  }
  const auto store = OpenStore();
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_FALSE(disk_.Exists(segment));
  EXPECT_EQ(Receipts(*store), 1);
}

TEST_F(StoreTest, AReferenceOfZerosHoldsNobodyUp) {
  const auto store = OpenStore();
  EXPECT_EQ(*store->Put(FrameOf({.vehicle = 0})), Outcome::kRefused);
  EXPECT_EQ(*store->Put(FrameOf({.vehicle = 1})), Outcome::kStored);
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_EQ(EntriesOf(*store, 1).size(), 1u);
}

TEST_F(StoreTest, AFileNobodyListedIsKeptAndCounted) {
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    const std::string path = FirstRef(*store).segment->path;
    const std::string planted = ParentFolder(ParentFolder(path)) + "/1/0000000000.seg";
    ASSERT_TRUE(disk_.MakeFolders(ParentFolder(planted)).ok());
    ASSERT_TRUE(WriteFileDurably(disk_, planted, *ReadWholeFile(disk_, path)).ok());
  }
  const auto store = OpenStore();
  EXPECT_EQ(counters_.Get("segments_unlisted").value(), 1u);
  EXPECT_EQ(EntriesOf(*store, 1).size(), 1u);
}

}  // namespace
}  // namespace telltale::vault
