#pragma once

#include <cstddef>

#include "command/tree_walk.hpp"
#include "options.hpp"
#include "output_tree.hpp"

namespace thumbnails {

// Makes the thumbnails of the images that `walk` finds, lists them in its order, and returns the exit status.
// On a fiber only.
//
//   walker --paths--> carriers: read --> processors: decode, scale, encode --> carriers: write
//      \----futures--> order channel -----------------------------------------> printer
//
// Two pools, because the two kinds of work want different sizes: processors are as many as the cores; carriers wait for
// disks, or for a processor, and are as many as images may be in flight. The walker waits for a free carrier, a carrier
// for a processor and for memory, and all of them for the printer if the reader of the manifest is slow.
int make_thumbnails(command::tree_walk& walk, std::size_t root_bytes, const output_tree& out, const options& chosen);

}  // namespace thumbnails
