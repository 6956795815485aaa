// The entry of isocenter_dicom.so.
#include "dicom_frames_source.hpp"
#include "dicom_inspect.hpp"
#include "dicom_rtss_source.hpp"
#include "dicom_secondary_capture_sink.hpp"
#include "dicom_seg_sink.hpp"
#include "dicom_seg_source.hpp"
#include "dicom_series_sink.hpp"
#include "dicom_series_source.hpp"
#include "dicom_slide_source.hpp"
#include "network_operators.hpp"

ISOCENTER_MODULE(isocenter::detail::dicom::DicomInspectOperator, isocenter::detail::dicom::DicomSeriesSourceOperator,
                 isocenter::detail::dicom::DicomFramesSourceOperator, isocenter::detail::dicom::DicomRtssSourceOperator,
                 isocenter::detail::dicom::DicomSlideSourceOperator, isocenter::detail::dicom::DicomSegSourceOperator,
                 isocenter::detail::dicom::DicomSeriesSinkOperator, isocenter::detail::dicom::DicomSegSinkOperator,
                 isocenter::detail::dicom::DicomSecondaryCaptureSinkOperator,
                 isocenter::detail::dicom::DicomEchoOperator, isocenter::detail::dicom::DicomFindOperator,
                 isocenter::detail::dicom::DicomFetchOperator, isocenter::detail::dicom::DicomSendOperator,
                 isocenter::detail::dicom::DicomReceiveOperator, isocenter::detail::dicom::DicomReceiveSourceOperator)
