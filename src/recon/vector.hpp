#pragma once
#include <isocenter/recon/vector3.hpp>
