#include "vault/store.h"

#include <algorithm>

#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

using Entries = std::vector<std::pair<std::uint64_t, std::string>>;

std::string KeyPath(Hour hour) {
  return "/vault/keys/hours/" + std::to_string(hour.value) + ".key";
}

class StoreTest : public VaultTest {};

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
  clock_.JumpUtc(kWindow - Micros{kHourUs});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_EQ(EntriesOf(*store, 1), (Entries{{2, "second"}}));
}

TEST_F(StoreTest, AtTheStartOfItsHourKeyAndSegmentAreGoneAndNothingOpensTheBytes) {
  const auto store = OpenStore();
  ASSERT_TRUE(store->Put(FrameOf({.seq = 5, .event_time = kNow + Micros{1}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  const Hour hour = HourOf(kNow + kWindow);
  const auto refs =
      store->Find(VehicleOf(1), FrameClass::kData, kNow - Micros{kHourUs}, kNow + Micros{kHourUs});
  ASSERT_EQ(refs.size(), 1u);
  const std::string key_file = *ReadWholeFile(disk_, KeyPath(hour));
  const std::string key_bytes = key_file.substr(24, 32);
  EXPECT_EQ(FilesWith(disk_, "/vault", key_bytes), 1);
  Store::FrameReader reader(*store);
  ASSERT_TRUE(reader.Read(refs[0]).ok());

  clock_.JumpUtc(kWindow - Micros{1});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_TRUE(disk_.Exists(KeyPath(hour))) << "not before its hour";
  clock_.JumpUtc(Micros{1});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_FALSE(disk_.Exists(KeyPath(hour)));
  EXPECT_EQ(FilesWith(disk_, "/vault", key_bytes), 0);
  EXPECT_FALSE(disk_.Exists(refs[0].segment->path));
  EXPECT_EQ(reader.Read(refs[0]).error().code, Code::kNotFound) << "what was cached is shut too";
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(counters_.Get("hours_destroyed").value(), 1u);

  int receipts = 0;
  ASSERT_TRUE(store->audit()
                  .List(1, 100,
                        [&](std::string_view line) {
                          receipts += line.find("\"event\":\"destroyed\"") != line.npos ? 1 : 0;
                        })
                  .ok());
  EXPECT_EQ(receipts, 1);
}

TEST_F(StoreTest, DataThatIsTooOldOnArrivalIsRefusedAndCounted) {
  const auto store = OpenStore();
  const Micros edge = kNow - kWindow;  // its hour begins now
  ASSERT_TRUE(store->Put(FrameOf({.seq = 1, .event_time = edge})).ok());
  ASSERT_TRUE(store->Put(FrameOf({.seq = 2, .event_time = Micros{0}})).ok());
  ASSERT_TRUE(store->Put(FrameOf({.seq = 3, .event_time = Micros{INT64_MIN}})).ok());
  ASSERT_TRUE(store->Put(FrameOf({.seq = 4, .event_time = edge + Micros{kHourUs}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_EQ(counters_.Drops("vault", Reason::kExpiredOnArrival).value(), 3u);
  ASSERT_EQ(EntriesOf(*store, 1).size(), 1u);
}

TEST_F(StoreTest, AnEventTimeOrReceiptAheadDoesNotBuyALongerLife) {
  const auto store = OpenStore();
  const Micros ahead = kNow + Micros{400 * kDay};
  ASSERT_TRUE(store->Put(FrameOf({.event_time = ahead, .receipt_time = ahead})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_TRUE(disk_.Exists(KeyPath(HourOf(kNow + kWindow))));
}

TEST_F(StoreTest, AnHourThatWasDestroyedStaysClosedWhenTheClockGoesBack) {
  const auto store = OpenStore();
  clock_.JumpUtc(Micros{kDay});
  ASSERT_TRUE(store->Put(FrameOf({.event_time = kNow + Micros{kDay}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  clock_.JumpUtc(kWindow);
  ASSERT_TRUE(store->Expire().ok());
  clock_.JumpUtc(Micros{-kWindow.value});
  ASSERT_TRUE(store->Put(FrameOf({.seq = 9, .event_time = kNow + Micros{kDay}})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_GE(counters_.Drops("vault", Reason::kExpiredOnArrival).value(), 1u);
}

TEST_F(StoreTest, TwoVehiclesFramesSwappedInTheFileDoNotOpen) {
  FrameRef first;
  FrameRef second;
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 1})).ok());
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 2})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    first = store->Find(VehicleOf(1), FrameClass::kData, Micros{0}, Micros{1ll << 60}).at(0);
    second = store->Find(VehicleOf(2), FrameClass::kData, Micros{0}, Micros{1ll << 60}).at(0);
    ASSERT_EQ(first.bytes, second.bytes);
    // The ciphertexts change places, then also the whole frames.
    std::string bytes = *ReadWholeFile(disk_, first.segment->path);
    for (const std::size_t skip : {kFrameHeadBytes, std::size_t{0}}) {
      std::string swapped = bytes;
      const std::size_t size = first.bytes - skip;
      swapped.replace(first.at + skip, size, bytes.substr(second.at + skip, size));
      swapped.replace(second.at + skip, size, bytes.substr(first.at + skip, size));
      ASSERT_TRUE(WriteFileDurably(disk_, first.segment->path, swapped).ok());
      Store::FrameReader reader(*store);
      const auto read_first = reader.Read(first);
      const auto read_second = reader.Read(second);
      // A whole frame is still the frame of its own vehicle, whatever place it is read from.
      EXPECT_TRUE(!read_first.ok() || read_first->vehicle == VehicleOf(2));
      EXPECT_TRUE(!read_second.ok() || read_second->vehicle == VehicleOf(1));
    }
  }
  const auto store = OpenStore();
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(counters_.Get("segments_damaged").value(), 1u);
}

TEST_F(StoreTest, ASegmentMovedToAnotherHourDoesNotOpen) {
  std::string stored;
  SegmentHead head;
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 1})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    const auto ref = store->Find(VehicleOf(1), FrameClass::kData, Micros{0}, Micros{1ll << 60})[0];
    stored = ReadWholeFile(disk_, ref.segment->path)->substr(ref.at, ref.bytes);
    head = ref.segment->head;
  }
  seal::SecretKey key;
  const std::string file = *ReadWholeFile(disk_, KeyPath(head.expiry_hour));
  std::copy_n(file.data() + 24, 32, key.data());
  EXPECT_TRUE(FrameCipher::Make(key, head)->Open(AsBytes(stored)).ok());
  head.expiry_hour.value += 1;
  EXPECT_FALSE(FrameCipher::Make(key, head)->Open(AsBytes(stored)).ok());
}

TEST_F(StoreTest, EveryByteOfAFrameIsGuarded) {
  seal::SecretKey key;
  key.data()[0] = 1;
  const SegmentHead head{FrameClass::kData, HourOf(kNow), 4, {}};
  auto cipher = *FrameCipher::Make(key, head);
  std::string bytes;
  ASSERT_TRUE(cipher.Seal(FrameOf({}), 0, bytes).ok());
  ASSERT_TRUE(cipher.Open(AsBytes(bytes)).ok());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_FALSE(cipher.Open(AsBytes(changed)).ok()) << i;
    EXPECT_FALSE(cipher.Open(AsBytes(bytes).first(i)).ok()) << i;
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

TEST_F(StoreTest, AStateThatIsDamagedOrMissingIsNotGuessed) {
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
  }
  const std::string state = *ReadWholeFile(disk_, "/vault/state");
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::string changed = state;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(State::Parse(AsBytes(changed)).ok()) << i;
    EXPECT_FALSE(State::Parse(AsBytes(state).first(i)).ok()) << i;
  }
  ASSERT_TRUE(WriteFileDurably(disk_, "/vault/state", state.substr(1)).ok());
  EXPECT_EQ(TryOpen().error().code, Code::kCorrupt);
  ASSERT_TRUE(disk_.Remove("/vault/state").ok());
  EXPECT_EQ(TryOpen().error().code, Code::kCorrupt);
}

TEST_F(StoreTest, ANewerStateIsRefusedWithTheVersionItNeedsAndLeftAsItIs) {
  {
    const auto store = OpenStore();
  }
  std::string newer = *ReadWholeFile(disk_, "/vault/state");
  newer[4] = 3;  // version
  newer[5] = 2;  // minimum reader
  ASSERT_TRUE(WriteFileDurably(disk_, "/vault/state", newer).ok());
  const auto refused = TryOpen();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_NE(refused.error().message.find(
                "the vault state: made by format version 3, needs a reader of version 2; this "
                "telltale reads up to 1: use a newer telltale"),
            std::string::npos)
      << refused.error().message;
  EXPECT_EQ(*ReadWholeFile(disk_, "/vault/state"), newer);
}

TEST_F(StoreTest, ANewerSegmentIsLeftOutAndKeptToTheByte) {
  std::string path;
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    path =
        store->Find(VehicleOf(1), FrameClass::kData, Micros{0}, Micros{1ll << 60})[0].segment->path;
  }
  std::string newer = *ReadWholeFile(disk_, path);
  newer[4] = 3;  // version
  newer[5] = 2;  // minimum reader
  newer += "what a newer writer may have put here";
  EXPECT_EQ(SegmentHead::Parse(AsBytes(newer)).error().ToString(),
            "unsupported: a vault segment: made by format version 3, needs a reader of version 2; "
            "this telltale reads up to 1: use a newer telltale");
  ASSERT_TRUE(WriteFileDurably(disk_, path, newer).ok());
  const auto store = OpenStore();
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(*ReadWholeFile(disk_, path), newer);
}

TEST_F(StoreTest, AKeyOfANewerVersionIsKeptAndStillDestroyedAtItsHour) {
  const Hour hour = HourOf(kNow + kWindow);
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
  }
  std::string newer = *ReadWholeFile(disk_, KeyPath(hour));
  newer[4] = 3;  // version
  newer[5] = 2;  // minimum reader
  ASSERT_TRUE(WriteFileDurably(disk_, KeyPath(hour), newer).ok());
  const auto store = OpenStore();
  EXPECT_EQ(store->Put(FrameOf({.seq = 1})).error().ToString(),
            "unsupported: " + KeyPath(hour) +
                ": made by format version 3, needs a reader of version 2; this telltale reads up "
                "to 1: use a newer telltale");
  EXPECT_EQ(*ReadWholeFile(disk_, KeyPath(hour)), newer) << "overwritten: its frames are lost";
  clock_.JumpUtc(kWindow);
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_FALSE(disk_.Exists(KeyPath(hour)));
}

TEST_F(StoreTest, AKeyThatIsGoneMeansTheHourIsGone) {
  std::string segment;
  {
    const auto store = OpenStore();
    ASSERT_TRUE(store->Put(FrameOf({})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
    segment =
        store->Find(VehicleOf(1), FrameClass::kData, Micros{0}, Micros{1ll << 60})[0].segment->path;
  }
  ASSERT_TRUE(disk_.Remove(KeyPath(HourOf(kNow + kWindow))).ok());
  const auto store = OpenStore();
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_FALSE(disk_.Exists(segment));
}

}  // namespace
}  // namespace telltale::vault
