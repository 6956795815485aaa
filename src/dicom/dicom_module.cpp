// The entry of isocenter_dicom.so.
#include "dicom_classification_sink.hpp"
#include "dicom_deidentify.hpp"
#include "dicom_detections_sink.hpp"
#include "dicom_document.hpp"
#include "dicom_encapsulated_pdf_sink.hpp"
#include "dicom_frames_source.hpp"
#include "dicom_inspect.hpp"
#include "dicom_parametric_map_sink.hpp"
#include "dicom_presentation_state_sink.hpp"
#include "dicom_projections_source.hpp"
#include "dicom_report_sink.hpp"
#include "dicom_rtss_source.hpp"
#include "dicom_secondary_capture_sink.hpp"
#include "dicom_seg_sink.hpp"
#include "dicom_seg_source.hpp"
#include "dicom_series_sink.hpp"
#include "dicom_series_source.hpp"
#include "dicom_slide_source.hpp"
#include "dicom_structure_set_sink.hpp"
#include "dicom_validate.hpp"
#ifdef ISOCENTER_DICOMWEB
#include "dicomweb_operators.hpp"
#endif
#include "network_operators.hpp"
#include "segment_measurements.hpp"
#include "service_operators.hpp"

#ifdef ISOCENTER_DICOMWEB
#define WEB_OPERATORS                                                                                \
  , isocenter::detail::dicom::DicomwebFindOperator, isocenter::detail::dicom::DicomwebFetchOperator, \
      isocenter::detail::dicom::DicomwebSendOperator, isocenter::detail::dicom::DicomwebSourceOperator
#else
#define WEB_OPERATORS
#endif

ISOCENTER_MODULE(
    isocenter::detail::dicom::DicomInspectOperator, isocenter::detail::dicom::DicomSeriesSourceOperator,
    isocenter::detail::dicom::DicomFramesSourceOperator, isocenter::detail::dicom::DicomProjectionsSourceOperator,
    isocenter::detail::dicom::DicomRtssSourceOperator, isocenter::detail::dicom::DicomSlideSourceOperator,
    isocenter::detail::dicom::DicomSegSourceOperator, isocenter::detail::dicom::DicomSeriesSinkOperator,
    isocenter::detail::dicom::DicomSegSinkOperator, isocenter::detail::dicom::DicomSecondaryCaptureSinkOperator,
    isocenter::detail::dicom::DicomCommitOperator, isocenter::detail::dicom::DicomProcedureStepOperator,
    isocenter::detail::dicom::DicomEchoOperator, isocenter::detail::dicom::DicomFindOperator,
    isocenter::detail::dicom::DicomFetchOperator, isocenter::detail::dicom::DicomSendOperator,
    isocenter::detail::dicom::DicomReceiveOperator, isocenter::detail::dicom::DicomReceiveSourceOperator,
    isocenter::detail::dicom::DicomClassificationSinkOperator, isocenter::detail::dicom::DicomDetectionsSinkOperator,
    isocenter::detail::dicom::DicomDeidentifyOperator, isocenter::detail::dicom::DicomDocumentOperator,
    isocenter::detail::dicom::DicomEncapsulatedPdfSinkOperator,
    isocenter::detail::dicom::DicomParametricMapSinkOperator,
    isocenter::detail::dicom::DicomPresentationStateSinkOperator, isocenter::detail::dicom::DicomReportSinkOperator,
    isocenter::detail::dicom::DicomStructureSetSinkOperator, isocenter::detail::dicom::DicomValidateOperator,
    isocenter::detail::dicom::SegmentMeasurementsOperator WEB_OPERATORS)
