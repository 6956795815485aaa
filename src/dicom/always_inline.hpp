#pragma once

/// For functions that are compiled again inside of one with a `target` attribute.
#define ISOCENTER_ALWAYS_INLINE __attribute__((always_inline)) inline
