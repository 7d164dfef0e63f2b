#include "store/disk_vfs.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <new>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"

namespace telltale::store {
namespace {

// What SQLite's own unix VFS answers, so that the bytes are written as they are in production.
constexpr int kSectorBytes = 4096;
constexpr int kPathBytesMax = 512;

// The locks and the shared memory of one database file.
struct Shared {
  struct Slot {
    int readers = 0;
    bool exclusive = false;
  };
  Mutex mutex;
  int readers GUARDED_BY(mutex) = 0;                // connections at SHARED or above
  const void* writer GUARDED_BY(mutex) = nullptr;   // the one at RESERVED or above
  const void* pending GUARDED_BY(mutex) = nullptr;  // PENDING or EXCLUSIVE: no new readers
  int mapped GUARDED_BY(mutex) = 0;
  std::vector<std::vector<char>> regions GUARDED_BY(mutex);
  std::array<Slot, SQLITE_SHM_NLOCK> slots GUARDED_BY(mutex);
};

}  // namespace

struct DiskVfs::Core {
  explicit Core(Disk& on) : disk(on) {}
  Disk& disk;
  std::string name;
  sqlite3_vfs vfs{};
  Mutex mutex;
  std::map<std::string, std::weak_ptr<Shared>> shared GUARDED_BY(mutex);

  std::shared_ptr<Shared> SharedOf(const std::string& path) {
    MutexLock lock(mutex);
    std::shared_ptr<Shared> found = shared[path].lock();
    if (found == nullptr) shared[path] = found = std::make_shared<Shared>();
    return found;
  }
};

namespace {

struct Connection {
  DiskVfs::Core& core;
  std::string path;
  std::unique_ptr<File> file;
  std::shared_ptr<Shared> shared;  // of a database; null for its journals
  bool name_unsynced = false;      // a new journal: its first sync is the folder's as well
  bool delete_on_close = false;
  int level = SQLITE_LOCK_NONE;
  bool mapped = false;
  unsigned shm_shared = 0;  // bits of the slots held
  unsigned shm_exclusive = 0;
};

// SQLite gives the memory and knows the first member.
struct OpenFile {
  sqlite3_file base;
  Connection* connection;
};

Connection& Of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file)->connection; }
DiskVfs::Core& CoreOf(sqlite3_vfs* vfs) { return *static_cast<DiskVfs::Core*>(vfs->pAppData); }
sqlite3_vfs* System() { return sqlite3_vfs_find("unix"); }

int CodeOf(const Status& status, int otherwise) {
  if (status.ok()) return SQLITE_OK;
  return status.error().code == Code::kOverloaded ? SQLITE_FULL : otherwise;
}

// -- reading and writing --

int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
  const std::span<std::uint8_t> into(static_cast<std::uint8_t*>(out),
                                     static_cast<std::size_t>(size));
  const auto got = Of(file).file->ReadAt(static_cast<std::uint64_t>(at), into);
  if (!got.ok()) return SQLITE_IOERR_READ;
  if (*got == into.size()) return SQLITE_OK;
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(*got), into.end(), std::uint8_t{0});
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  const ByteSpan from(static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size));
  return CodeOf(Of(file).file->WriteAt(static_cast<std::uint64_t>(at), from), SQLITE_IOERR_WRITE);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return CodeOf(Of(file).file->Truncate(static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int Sync(sqlite3_file* file, int /*flags*/) {
  Connection& connection = Of(file);
  if (!connection.file->Sync().ok()) return SQLITE_IOERR_FSYNC;
  if (!connection.name_unsynced) return SQLITE_OK;
  const Status named = connection.core.disk.SyncFolder(ParentFolder(connection.path));
  if (!named.ok()) return SQLITE_IOERR_DIR_FSYNC;
  connection.name_unsynced = false;
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const auto found = Of(file).file->Size();
  if (!found.ok()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*found);
  return SQLITE_OK;
}

int FileControl(sqlite3_file* /*file*/, int /*what*/, void* /*argument*/) {
  return SQLITE_NOTFOUND;  // nothing but hints
}

int SectorSize(sqlite3_file* /*file*/) { return kSectorBytes; }

int Characteristics(sqlite3_file* /*file*/) {
  // A torn write leaves the bytes around it alone, on SimDisk as on the disks we run on.
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// -- locks, as https://sqlite.org/lockingv3.html has them --

int Lock(sqlite3_file* file, int level) {
  Connection& me = Of(file);
  if (me.level >= level) return SQLITE_OK;
  Shared& shared = *me.shared;
  MutexLock lock(shared.mutex);
  if (me.level == SQLITE_LOCK_NONE) {
    if (shared.pending != nullptr) return SQLITE_BUSY;
    ++shared.readers;
    me.level = SQLITE_LOCK_SHARED;
  }
  if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
  if (shared.writer != nullptr && shared.writer != &me) return SQLITE_BUSY;
  shared.writer = &me;
  me.level = std::max(me.level, SQLITE_LOCK_RESERVED);
  if (level == SQLITE_LOCK_RESERVED) return SQLITE_OK;
  shared.pending = &me;
  me.level = std::max(me.level, SQLITE_LOCK_PENDING);
  if (level == SQLITE_LOCK_PENDING) return SQLITE_OK;
  if (shared.readers > 1) return SQLITE_BUSY;
  me.level = SQLITE_LOCK_EXCLUSIVE;
  return SQLITE_OK;
}

int Unlock(sqlite3_file* file, int level) {
  Connection& me = Of(file);
  if (me.shared == nullptr || me.level <= level) return SQLITE_OK;
  Shared& shared = *me.shared;
  MutexLock lock(shared.mutex);
  if (shared.writer == &me) shared.writer = nullptr;
  if (shared.pending == &me) shared.pending = nullptr;
  if (level == SQLITE_LOCK_NONE) --shared.readers;
  me.level = level;
  return SQLITE_OK;
}

int CheckReservedLock(sqlite3_file* file, int* held) {
  Shared& shared = *Of(file).shared;
  MutexLock lock(shared.mutex);
  *held = shared.writer != nullptr ? 1 : 0;
  return SQLITE_OK;
}

// -- the wal-index --

int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** at) {
  Connection& me = Of(file);
  Shared& shared = *me.shared;
  MutexLock lock(shared.mutex);
  if (!me.mapped) ++shared.mapped;
  me.mapped = true;
  const auto wanted = static_cast<std::size_t>(region) + 1;
  if (shared.regions.size() < wanted && extend == 0) {
    *at = nullptr;
    return SQLITE_OK;
  }
  // What was handed out stays where it is: a vector that moves keeps its bytes' address.
  while (shared.regions.size() < wanted) {
    shared.regions.emplace_back(static_cast<std::size_t>(size), '\0');
  }
  *at = shared.regions[wanted - 1].data();
  return SQLITE_OK;
}

void Release(Connection& me, Shared& shared, unsigned mask) REQUIRES(shared.mutex) {
  for (unsigned i = 0; i < SQLITE_SHM_NLOCK; ++i) {
    if ((mask & me.shm_shared & 1u << i) != 0) --shared.slots[i].readers;
    if ((mask & me.shm_exclusive & 1u << i) != 0) shared.slots[i].exclusive = false;
  }
  me.shm_shared &= ~mask;
  me.shm_exclusive &= ~mask;
}

int ShmLock(sqlite3_file* file, int first, int count, int flags) {
  Connection& me = Of(file);
  Shared& shared = *me.shared;
  MutexLock lock(shared.mutex);
  const unsigned mask = ((1u << count) - 1) << first;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    Release(me, shared, mask);
    return SQLITE_OK;
  }
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if (!exclusive && (mask & ~me.shm_shared) == 0) return SQLITE_OK;
  for (unsigned i = 0; i < SQLITE_SHM_NLOCK; ++i) {
    if ((mask & 1u << i) == 0) continue;
    if (shared.slots[i].exclusive || (exclusive && shared.slots[i].readers > 0)) {
      return SQLITE_BUSY;
    }
  }
  for (unsigned i = 0; i < SQLITE_SHM_NLOCK; ++i) {
    if ((mask & 1u << i) == 0) continue;
    if (exclusive) {
      shared.slots[i].exclusive = true;
    } else {
      ++shared.slots[i].readers;
    }
  }
  (exclusive ? me.shm_exclusive : me.shm_shared) |= mask;
  return SQLITE_OK;
}

void ShmBarrier(sqlite3_file* /*file*/) { std::atomic_thread_fence(std::memory_order_seq_cst); }

int ShmUnmap(sqlite3_file* file, int /*remove*/) {
  Connection& me = Of(file);
  if (me.shared == nullptr) return SQLITE_OK;
  Shared& shared = *me.shared;
  MutexLock lock(shared.mutex);
  Release(me, shared, ~0u);
  if (me.mapped && --shared.mapped == 0) shared.regions.clear();
  me.mapped = false;
  return SQLITE_OK;
}

int Close(sqlite3_file* file) {
  ShmUnmap(file, 0);
  Unlock(file, SQLITE_LOCK_NONE);
  const std::unique_ptr<Connection> closing(&Of(file));
  if (closing->delete_on_close) (void)closing->core.disk.Remove(closing->path);
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,  // with the wal-index, without mapped reading
    .xClose = Close,
    .xRead = Read,
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = FileSize,
    .xLock = Lock,
    .xUnlock = Unlock,
    .xCheckReservedLock = CheckReservedLock,
    .xFileControl = FileControl,
    .xSectorSize = SectorSize,
    .xDeviceCharacteristics = Characteristics,
    .xShmMap = ShmMap,
    .xShmLock = ShmLock,
    .xShmBarrier = ShmBarrier,
    .xShmUnmap = ShmUnmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// -- names --

OpenMode ModeOf(int flags) {
  if ((flags & SQLITE_OPEN_READONLY) != 0) return OpenMode::kRead;
  if ((flags & SQLITE_OPEN_CREATE) == 0) return OpenMode::kReadWrite;
  return (flags & SQLITE_OPEN_EXCLUSIVE) != 0 ? OpenMode::kCreate : OpenMode::kCreateOrOpen;
}

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* flags_out) {
  if (name == nullptr) return System()->xOpen(System(), name, out, flags, flags_out);
  auto* const opened = new (out) OpenFile{};  // without methods SQLite does not close it
  DiskVfs::Core& core = CoreOf(vfs);
  auto file = core.disk.Open(name, ModeOf(flags));
  if (!file.ok()) return CodeOf(file.error(), SQLITE_CANTOPEN);
  const bool journal =
      (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  auto connection = std::make_unique<Connection>(Connection{core, name, std::move(*file), {}});
  connection->name_unsynced = journal && (flags & SQLITE_OPEN_CREATE) != 0;
  connection->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (!journal) connection->shared = core.SharedOf(name);
  opened->connection = connection.release();
  opened->base.pMethods = &kMethods;
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Disk& disk = CoreOf(vfs).disk;
  const Status removed = disk.Remove(name);
  if (!removed.ok() && removed.error().code == Code::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
  if (!removed.ok()) return SQLITE_IOERR_DELETE;
  if (sync_folder == 0) return SQLITE_OK;
  return disk.SyncFolder(ParentFolder(name)).ok() ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

int Access(sqlite3_vfs* vfs, const char* name, int what, int* there) {
  Disk& disk = CoreOf(vfs).disk;
  *there = disk.Exists(name) ? 1 : 0;
  if (*there == 0 || what != SQLITE_ACCESS_EXISTS) return SQLITE_OK;
  // As SQLite's own: an empty file is as good as none.
  const auto file = disk.Open(name, OpenMode::kRead);
  if (!file.ok()) return SQLITE_IOERR_ACCESS;
  const auto size = (*file)->Size();
  if (!size.ok()) return SQLITE_IOERR_ACCESS;
  *there = *size > 0 ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
  const std::size_t bytes = std::strlen(name) + 1;
  if (bytes > static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, bytes);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs* /*vfs*/, int size, char* out) {
  return System()->xRandomness(System(), size, out);
}
int Sleep(sqlite3_vfs* /*vfs*/, int micros) { return System()->xSleep(System(), micros); }
int CurrentTime(sqlite3_vfs* /*vfs*/, double* julian) {
  return System()->xCurrentTime(System(), julian);
}
int CurrentTimeInt64(sqlite3_vfs* /*vfs*/, sqlite3_int64* julian_ms) {
  return System()->xCurrentTimeInt64(System(), julian_ms);
}
int GetLastError(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*out*/) { return 0; }

}  // namespace

DiskVfs::DiskVfs(Disk& disk) : core_(std::make_unique<Core>(disk)) {
  core_->name = fmt::format("disk-{}", static_cast<const void*>(core_.get()));
  sqlite3_vfs& vfs = core_->vfs;
  vfs.iVersion = 2;
  vfs.szOsFile = std::max(static_cast<int>(sizeof(OpenFile)), System()->szOsFile);
  vfs.mxPathname = kPathBytesMax;
  vfs.zName = core_->name.c_str();
  vfs.pAppData = core_.get();
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  vfs.xAccess = Access;
  vfs.xFullPathname = FullPathname;
  vfs.xRandomness = Randomness;
  vfs.xSleep = Sleep;
  vfs.xCurrentTime = CurrentTime;
  vfs.xGetLastError = GetLastError;
  vfs.xCurrentTimeInt64 = CurrentTimeInt64;
  CHECK(sqlite3_vfs_register(&vfs, /*makeDflt=*/0) == SQLITE_OK);
}

DiskVfs::~DiskVfs() { sqlite3_vfs_unregister(&core_->vfs); }

Disk& DiskVfs::disk() const { return core_->disk; }
const std::string& DiskVfs::name() const { return core_->name; }

}  // namespace telltale::store
