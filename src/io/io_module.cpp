// The entry of isocenter_io.so.
#include "image_sink.hpp"
#include "image_source.hpp"
#include "label_source.hpp"
#include "png_sink.hpp"
#include "projections_sink.hpp"
#include "projections_source.hpp"
#include "video_sink.hpp"

ISOCENTER_MODULE(isocenter::detail::io::ImageSourceOperator, isocenter::detail::io::LabelSourceOperator,
                 isocenter::detail::io::ImageSinkOperator, isocenter::detail::io::PngSinkOperator,
                 isocenter::detail::io::VideoSinkOperator, isocenter::detail::io::ProjectionsSourceOperator,
                 isocenter::detail::io::ProjectionsSinkOperator)
