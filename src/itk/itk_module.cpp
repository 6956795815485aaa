// The entry of isocenter_itk.so.
#include "itk_image_sink.hpp"
#include "itk_image_source.hpp"

ISOCENTER_MODULE(isocenter::detail::itk_io::ItkImageSourceOperator, isocenter::detail::itk_io::ItkImageSinkOperator)
