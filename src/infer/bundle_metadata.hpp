#pragma once
// What a MONAI bundle's metadata.json says of the network.
#include "infer/bundle_recipe.hpp"
#include "infer/bundle_values.hpp"

namespace isocenter::infer {

/// network_data_format of MONAI's bundle specification, and where it does not fit the recipe. Errors: bad_data where
/// the file contradicts itself, unsupported for a network of several input channels.
void read_metadata(const BundleFile& file, BundleRecipe& recipe);

}  // namespace isocenter::infer
