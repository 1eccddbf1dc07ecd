#include "archive/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "test_files.h"

namespace keras_litert::archive {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<std::string> ReadEntry(const std::string& file, const std::string& path,
                              uint64_t limit = 1 << 20) {
  KL_ASSIGN_OR_RETURN(const ZipDirectory directory, ZipDirectory::Read(Bytes(file), "m.keras"));
  const ZipEntry* entry = directory.Find(path);
  if (entry == nullptr) return Fail("", "test", "no entry");
  KL_ASSIGN_OR_RETURN(const std::vector<std::byte> content,
                      directory.ReadContent(path, *entry, limit));
  return Text(content);
}

std::string ErrorOf(const std::string& file, const std::string& path) {
  const auto content = ReadEntry(file, path);
  return content ? "no error" : content.error().ToString();
}

// Overwrites a number at `at`.
std::string With(std::string file, size_t at, uint64_t value, int size) {
  for (int i = 0; i < size; ++i)
    file.at(at + static_cast<size_t>(i)) = static_cast<char>(value >> (8 * i));
  return file;
}

size_t DirectoryOf(const std::string& file) {
  return file.find("PK\1\2");
}
size_t EndOf(const std::string& file) {
  return file.rfind("PK\5\6");
}

std::string Number(uint64_t value, int size) {
  return With(std::string(static_cast<size_t>(size), '\0'), 0, value, size);
}

TEST(ZipTest, StoredAndDeflatedEntriesAreRead) {
  const std::string content(5000, 'x');
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const std::string file = Zip({{"a", content}, {"folder/b", "hello"}, {"empty", ""}}, method);
    EXPECT_EQ(*ReadEntry(file, "a"), content);
    EXPECT_EQ(*ReadEntry(file, "folder/b"), "hello");
    EXPECT_EQ(*ReadEntry(file, "empty"), "");
    EXPECT_EQ(file.size() < content.size(), method == ZIP_CM_DEFLATE);
  }
}

TEST(ZipTest, BytesBeforeTheFirstEntryAreSkipped) {
  EXPECT_EQ(*ReadEntry("#!/bin/sh\n" + Zip({{"a", "hello"}}), "a"), "hello");
}

TEST(ZipTest, ACommentMayFollow) {
  std::string file = Zip({{"a", "hello"}});
  file = With(file, EndOf(file) + 20, 7, 2) + "comment";
  EXPECT_EQ(*ReadEntry(file, "a"), "hello");
}

// A zip64 file with the sizes and offsets moved to the 64-bit records, as writers make it beyond 4
// GB.
//   local header, data, central header with an extra field, zip64 end record, locator, end record
TEST(ZipTest, Zip64RecordsAreRead) {
  const std::string plain = Zip({{"a", "hello"}});
  const size_t directory = DirectoryOf(plain);
  const std::string local = plain.substr(0, directory);
  std::string central = plain.substr(directory, EndOf(plain) - directory);
  const std::string extra =
      Number(1, 2) + Number(24, 2) + Number(5, 8) + Number(5, 8) + Number(0, 8);
  central = central.substr(0, 46 + 1);  // header and name
  central = With(central, 20, 0xffffffff, 4);
  central = With(central, 24, 0xffffffff, 4);
  central = With(central, 30, extra.size(), 2);
  central = With(central, 42, 0xffffffff, 4);
  central += extra;
  const std::string end64 = "PK\6\6" + Number(44, 8) + Number(45, 2) + Number(45, 2) +
                            Number(0, 8) + Number(1, 8) + Number(1, 8) + Number(central.size(), 8) +
                            Number(directory, 8);
  const std::string locator =
      "PK\6\7" + Number(0, 4) + Number(directory + central.size(), 8) + Number(1, 4);
  const std::string end = "PK\5\6" + Number(0, 4) + Number(0xffff, 2) + Number(0xffff, 2) +
                          Number(0xffffffff, 4) + Number(0xffffffff, 4) + Number(0, 2);
  EXPECT_EQ(*ReadEntry(local + central + end64 + locator + end, "a"), "hello");
  EXPECT_EQ(*ReadEntry("prefix" + local + central + end64 + locator + end, "a"), "hello");
  // Python's zipfile writes files of 2 to 4 GB so: the end record holds the true numbers too.
  const std::string narrow = "PK\5\6" + Number(0, 4) + Number(1, 2) + Number(1, 2) +
                             Number(central.size(), 4) + Number(directory, 4) + Number(0, 2);
  EXPECT_EQ(*ReadEntry(local + central + end64 + locator + narrow, "a"), "hello");
  EXPECT_THAT(ErrorOf(local + central + locator + end, "a"),
              HasSubstr("archive-2: the zip file is broken or truncated: its zip64 end record is "
                        "missing"));
}

TEST(ZipTest, SizesThatLieAreErrors) {
  const std::string file = Zip({{"a", "hello"}});
  const size_t central = DirectoryOf(file);
  EXPECT_THAT(ErrorOf(With(file, central + 20, 1 << 20, 4), "a"),
              HasSubstr("archive-2: the zip file is broken or truncated: entry `a` claims 1048576 "
                        "bytes at 0 of"));
  EXPECT_THAT(ErrorOf(With(file, central + 24, 6, 4), "a"),
              HasSubstr("archive-4: entry `a` is stored but claims two sizes, 5 and 6"));
  EXPECT_THAT(ErrorOf(With(file, central + 42, 1 << 20, 4), "a"), HasSubstr("archive-2"));
  EXPECT_THAT(ErrorOf(With(file, central + 42, 1, 4), "a"),
              HasSubstr("archive-4: entry `a` has no header where the zip directory says"));
  EXPECT_THAT(ErrorOf(With(file, EndOf(file) + 10, 9999, 2), "a"),
              HasSubstr("claims 9999 entries"));
  EXPECT_THAT(ErrorOf(With(file, EndOf(file) + 12, 1 << 30, 4), "a"), HasSubstr("archive-2"));
  EXPECT_THAT(ErrorOf(With(file, EndOf(file) + 16, 1 << 30, 4), "a"), HasSubstr("archive-2"));
  const std::string deflated = Zip({{"a", std::string(5000, 'x')}}, ZIP_CM_DEFLATE);
  const size_t size = DirectoryOf(deflated) + 24;
  EXPECT_THAT(ErrorOf(With(deflated, size, 4999, 4), "a"), HasSubstr("data is damaged"));
  EXPECT_THAT(ErrorOf(With(deflated, size, 5001, 4), "a"), HasSubstr("data is damaged"));
  EXPECT_THAT(ErrorOf(With(deflated, size, 1000000, 4), "a"),
              HasSubstr("archive-4: entry `a` claims a content of 1000000 bytes in"));
  EXPECT_FALSE(ReadEntry(deflated, "a", /*limit=*/4999).has_value());
}

// Entries in one place, or one within another: a few bytes would be the content of many.
TEST(ZipTest, OverlappingEntriesAreErrors) {
  const std::string file = Zip({{"a", Zip({{"b", "hello"}})}, {"b", "hello"}});
  EXPECT_EQ(*ReadEntry(file, "b"), "hello");
  const size_t within = file.find("PK\3\4", 1);  // the header of `b` in the zip that `a` holds
  const size_t entry_b = file.rfind("PK\1\2");
  EXPECT_EQ(ErrorOf(With(file, entry_b + 42, within, 4), "b"),
            "m.keras: archive-3: the zip file's entries `a` and `b` overlap\n"
            "  help: Save the model again with `model.save(\"model.keras\")`.");
}

TEST(ZipTest, DamageIsFoundByTheChecksum) {
  std::string file = Zip({{"a", "hello"}});
  file[file.find("hello")] = 'j';
  EXPECT_THAT(ErrorOf(file, "a"),
              HasSubstr("archive-4: entry `a` is damaged: its checksum does not match"));
}

TEST(ZipTest, WhatCannotBeReadIsNamed) {
  const std::string file = Zip({{"a", "hello"}});
  const size_t central = DirectoryOf(file);
  EXPECT_EQ(ErrorOf(With(file, central + 8, 1, 2), "a"),
            "m.keras: archive-4: entry `a` is encrypted\n"
            "  help: Unpack it and zip it again without a password.");
  EXPECT_EQ(
      ErrorOf(With(file, central + 10, 12, 2), "a"),
      "m.keras: archive-4: entry `a` is compressed by method 12; only stored (0) and deflated "
      "(8) entries are read\n  help: Unpack it and zip it again with the usual method.");
  std::string twice = Zip({{"a", "1"}, {"b", "2"}});
  twice[twice.rfind('b')] = 'a';
  EXPECT_THAT(ErrorOf(twice, "a"), HasSubstr("archive-3: the zip file has two entries `a`"));
}

TEST(ZipTest, NoTruncationAndNoChangedByteReadsOutside) {
  const std::string file = Zip({{"a", "hello"}, {"b", std::string(100, 'x')}}, ZIP_CM_DEFLATE);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ReadEntry(file.substr(0, size), "a").has_value()) << size;
  }
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = file;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto content = ReadEntry(changed, "a");
      if (content.has_value()) {  // the checksum guards it
        EXPECT_EQ(*content, "hello") << at;
      }
    }
  }
}

}  // namespace
}  // namespace keras_litert::archive
