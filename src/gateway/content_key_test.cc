#include "gateway/content_key.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::gateway {
namespace {

TEST(ContentKeyTest, SipHashGivesItsAuthorsValues) {
  const std::uint64_t key0 = 0x0706050403020100ull;
  const std::uint64_t key1 = 0x0f0e0d0c0b0a0908ull;
  std::string input;
  EXPECT_EQ(SipHash24(key0, key1, AsBytes(input)), 0x726fdb47dd0e0e31ull);
  for (char i = 0; i < 15; ++i) input.push_back(i);
  EXPECT_EQ(SipHash24(key0, key1, AsBytes(input)), 0xa129ca6149be45e5ull);
}

TEST(ContentKeyTest, TheSameSecretHidesAlikeAndAnotherDoesNot) {
  const ContentKey key = ContentKey::FromSecret(std::string(32, 'a'));
  EXPECT_EQ(key.Hide(1), ContentKey::FromSecret(std::string(32, 'a')).Hide(1));
  EXPECT_NE(key.Hide(1), key.Hide(2));
  EXPECT_NE(key.Hide(1), ContentKey::FromSecret(std::string(32, 'b')).Hide(1));
}

}  // namespace
}  // namespace telltale::gateway
