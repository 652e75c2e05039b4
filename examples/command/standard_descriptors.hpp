#pragma once

namespace command {

// To be called first: a file opened while descriptor 1 is closed would get that number, and our output would go there.
// The stand-in is read-only, so that writing fails as writing to a closed descriptor does.
void occupy_standard_descriptors();

}  // namespace command
