// Error codes of this folder:
//
//   archive-1   the file is neither a zip nor an HDF5 file, or cannot be read
//   archive-2   the zip directory is broken or truncated
//   archive-3   two zip entries with one name, or in one place
//   archive-4   a zip entry is damaged, encrypted, of an unknown method, or lies about its size
//   archive-5   an entry that a model needs is missing
//   archive-6   the weights are no HDF5 file
//   archive-7   the HDF5 file is damaged, or claims data outside of itself
//   archive-8   an HDF5 group or attribute is missing or of another type
//   archive-9   too many, too deep or too large
//   archive-10  links or data that lead out of the HDF5 file, or around in it
//   archive-11  a weight's element type or shape is none of Keras's
//   archive-12  a weight's data cannot be unpacked, or is compressed by a method that is not read
//   archive-13  sharded weights whose map does not fit the shards
//   archive-14  a whole-model HDF5 file without the model or some of its weights
//   archive-15  an HDF5 feature that Keras does not use and that is not read
//   archive-16  damaged JSON, or JSON that is nested too deep
#include "archive/archive.h"

#include <system_error>
#include <utility>

#include "archive/hdf5_file.h"
#include "archive/readers.h"
#include "archive/zip.h"

namespace keras_litert::archive {

Result<std::shared_ptr<const Archive>> Open(const std::filesystem::path& file) {
  const std::string name = file.filename().empty() ? file.string() : file.filename().string();
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    KL_ASSIGN_OR_RETURN(std::shared_ptr<const Container> folder, OpenFolder(file, name));
    return OpenKeras(std::move(folder));
  }
  KL_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> mapped, MappedFile::Open(file));
  return OpenImage(ImageOfMapping(std::move(mapped)), name);
}

Result<std::shared_ptr<const Archive>> OpenImage(Image image, std::string name) {
  if (Hdf5File::LooksLikeHdf5(image.bytes)) return OpenWholeModelHdf5(std::move(image), name);
  auto container = OpenZip(image, name);
  if (container) return OpenKeras(*std::move(container));
  if (ZipDirectory::LooksLikeZip(image.bytes)) return std::unexpected(container.error());
  if (Hdf5File::HasUserBlock(image.bytes)) return OpenWholeModelHdf5(std::move(image), name);
  return Fail(std::move(name), "archive-1",
              "is neither a zip (.keras) nor an HDF5 (.h5, .hdf5) file",
              "Name a model that `model.save(\"model.keras\")` wrote.");
}

}  // namespace keras_litert::archive
