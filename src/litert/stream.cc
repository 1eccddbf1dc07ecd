#include "litert/stream.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "util/cancelled.h"
#include "util/platform.h"

namespace keras_litert::litert {
namespace {

using ir::Constant;
using ir::ConstantPtr;

// A piece of work: one tile of a weight, or a whole weight that must be staged first.
struct Item {
  const Placement* place = nullptr;
  const ConstantPtr* constant = nullptr;
  size_t weight = 0;  // index of the placement
  size_t tile = 0;
  bool staged = false;
  size_t need = 0;     // bytes of memory, about
  int64_t writes = 0;  // bytes of the file, for progress
};

// Memory that grows as needed. Its content is not kept.
class Scratch {
 public:
  std::span<std::byte> Get(size_t size) {
    if (size > size_) {
      bytes_.reset();
      size_ = 0;
      bytes_ = std::make_unique_for_overwrite<std::byte[]>(size);
      size_ = size;
    }
    return {bytes_.get(), size};
  }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t size_ = 0;
};

class Stream {
 public:
  Stream(const Plan& plan, const Layout& layout, OutputFile& file, const StreamOptions& options)
      : layout_(layout), file_(file), options_(options) {
    for (size_t i = 0; i < layout.placements.size(); ++i) {
      const Placement& place = layout.placements[i];
      AddItems(place, plan.buffers[place.buffer].constant, i);
    }
  }

  Status Run() {
    KL_RETURN_IF_ERROR(file_.WriteAt(0, std::as_bytes(std::span(layout_.header))));
    written_ = static_cast<int64_t>(layout_.header.size());
    unsigned threads = options_.threads != 0 ? options_.threads : DefaultThreads();
    // A thread costs more than it brings where there is little to write.
    constexpr int64_t kBytesPerThread = 1 << 20;
    threads =
        static_cast<unsigned>(std::min<int64_t>(threads, 1 + layout_.total / kBytesPerThread));
    {
      std::vector<std::jthread> helpers;
      try {
        for (unsigned i = 1; i < threads; ++i) {
          helpers.emplace_back([this] { Work(/*is_caller=*/false); });
        }
      } catch (const std::system_error&) {  // no more threads to be had: fewer do it
      }
      Work(/*is_caller=*/true);
    }
    if (options_.progress && !error_) options_.progress(layout_.total, layout_.total);
    return error_ ? Status(std::unexpected(std::move(*error_))) : Status();
  }

 private:
  void AddItems(const Placement& place, const ConstantPtr& constant, size_t weight) {
    Item item{.place = &place, .constant = &constant, .weight = weight};
    if (!constant->CanEvaluateRange()) {
      item.staged = true;
      item.need = constant->byte_size() + options_.tile_bytes;
      item.writes = place.size;
      items_.push_back(item);
      tiles_left_.push_back(1);
      return;
    }
    const size_t tiles = constant->NumTiles(options_.tile_bytes);
    const auto bytes = static_cast<size_t>(place.size);
    // A view's tile is written from where it lies; others need the tile and the piece of the source
    // it comes from.
    item.need = std::min(bytes, options_.tile_bytes) * (constant->bytes() ? 1 : 2);
    for (size_t tile = 0; tile < tiles; ++tile) {
      item.tile = tile;
      item.writes = place.size * static_cast<int64_t>(tile + 1) / static_cast<int64_t>(tiles) -
                    place.size * static_cast<int64_t>(tile) / static_cast<int64_t>(tiles);
      items_.push_back(item);
    }
    tiles_left_.push_back(tiles);
  }

  // Takes items until there are none. Whoever holds an item never waits, so nobody waits forever.
  void Work(bool is_caller) {
    Scratch scratch;
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] {
        return next_ == items_.size() || error_ || in_flight_ == 0 ||
               in_flight_ + items_[next_].need <= options_.bytes_in_flight;
      });
      if (next_ == items_.size() || error_) return;
      const size_t index = next_++;
      const Item& item = items_[index];
      in_flight_ += item.need;
      lock.unlock();
      Status status = Process(item, scratch);
      lock.lock();
      in_flight_ -= item.need;
      written_ += item.writes;
      if (!status && (!error_ || index < error_index_)) {
        error_ = std::move(status).error();
        error_index_ = index;
      }
      const bool weight_done = --tiles_left_[item.weight] == 0;
      changed_.notify_all();
      if (weight_done || is_caller) {
        const int64_t written = written_;
        lock.unlock();
        if (weight_done) (*item.constant)->Release();
        if (is_caller && options_.progress) options_.progress(written, layout_.total);
        const bool cancelled = is_caller && options_.cancelled && options_.cancelled();
        lock.lock();
        if (cancelled && !error_) {
          error_ = Cancelled().error();
          error_index_ = 0;
          changed_.notify_all();
        }
      }
    }
  }

  Status Process(const Item& item, Scratch& scratch) {
    try {
      if (item.tile == 0 && !layout_.external) {
        const auto length = static_cast<uint32_t>(item.place->size);
        KL_RETURN_IF_ERROR(
            file_.WriteAt(item.place->offset - 4, std::as_bytes(std::span(&length, 1))));
      }
      const Constant::Sink sink = [&](std::span<const Constant::Run> runs) -> Status {
        // Systems write a file for one thread at a time; waiting here, once a tile, costs less than
        // contending for each run.
        const std::lock_guard lock(write_mutex_);
        for (const Constant::Run& run : runs) {
          KL_RETURN_IF_ERROR(
              file_.WriteAt(item.place->offset + static_cast<int64_t>(run.offset), run.bytes));
        }
        return {};
      };
      if (item.staged) {
        KL_ASSIGN_OR_RETURN(const ConstantPtr staged, ir::Stage(*item.constant));
        const size_t tiles = staged->NumTiles(options_.tile_bytes);
        for (size_t tile = 0; tile < tiles; ++tile) {
          KL_RETURN_IF_ERROR(Write(*staged, tile, scratch, sink));
        }
        return {};
      }
      const Constant& constant = **item.constant;
      KL_RETURN_IF_ERROR(Write(constant, item.tile, scratch, sink));
      if (constant.bytes() && constant.byte_size() > options_.tile_bytes) {
        constant.ReleaseRange(
            item.tile * options_.tile_bytes,
            std::min(options_.tile_bytes, constant.byte_size() - item.tile * options_.tile_bytes));
      }
      return {};
    } catch (const std::bad_alloc&) {
      return Fail(
          "", "write-5",
          "a weight of " + std::to_string(item.place->size) + " bytes does not fit into memory");
    }
  }

  // One tile. Tiles that must be computed and are one run go through `scratch`, which a thread
  // keeps: fresh memory for each costs the system as much as the tile does.
  Status Write(const Constant& constant, size_t tile, Scratch& scratch,
               const Constant::Sink& sink) {
    const auto range = constant.TileRange(tile, options_.tile_bytes);
    if (!range || constant.bytes()) {
      return constant.EvaluateTile(tile, options_.tile_bytes, sink);
    }
    const std::span<std::byte> bytes = scratch.Get(range->size);
    KL_RETURN_IF_ERROR(constant.EvaluateTileTo(tile, options_.tile_bytes, bytes));
    const Constant::Run run{range->offset, bytes};
    return sink({&run, 1});
  }

  const Layout& layout_;
  OutputFile& file_;
  const StreamOptions& options_;
  std::vector<Item> items_;  // in the order of the file

  std::mutex write_mutex_;
  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  size_t next_ = 0;
  size_t in_flight_ = 0;
  int64_t written_ = 0;
  std::vector<size_t> tiles_left_;  // of each weight
  std::optional<Error> error_;
  size_t error_index_ = 0;
};

}  // namespace

Status StreamFile(const Plan& plan, const Layout& layout, OutputFile& file,
                  const StreamOptions& options) {
  return Stream(plan, layout, file, options).Run();
}

}  // namespace keras_litert::litert
