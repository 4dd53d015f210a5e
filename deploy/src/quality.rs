//! Quality reports, kept beside the manifest: what a build found out about its rows.

use bytes::Bytes;
use nightshard_format::{
    manifest::{GenerationId, Manifest},
    quality::QualityReport,
};

use crate::{Repository, Result, names};

/// No report is longer.
const REPORT_LEN_MAX: u64 = 16 << 20;

/// How the names of these reports begin.
const KIND: &str = "quality";

impl Repository {
    /// Returns the newest quality report of a generation, or `None` if it has none of its inputs. A
    /// cache keeps what was found.
    ///
    /// # Errors
    /// [`crate::Error::Unusable`] if the report is damaged, [`crate::Error::Storage`] if storage
    /// cannot be read.
    pub async fn quality(&self, manifest: &Manifest) -> Result<Option<QualityReport>> {
        let id = &manifest.id;
        let Some(number) = self.last_report_number(id, KIND).await? else {
            return Ok(None);
        };
        let Some(bytes) = self.quality_json(id, number).await? else {
            return Ok(None);
        };
        let report: QualityReport = match serde_json::from_slice(&bytes) {
            Ok(report) => report,
            Err(error) => {
                let name = names::numbered_report(id, KIND, number)?;
                return Err(self.unusable(name, error));
            }
        };
        if let Some(cache) = self.find_cache()
            && cache.quality(id).is_none_or(|kept| kept != bytes)
        {
            // A cache that is full is no reason to go without.
            let _not_kept = cache.put_quality(id, &bytes);
        }
        Ok(Some(report).filter(|report| report.is_of(manifest)))
    }

    /// Returns the quality report of a generation that was found the last time, for when storage
    /// cannot be read.
    #[must_use]
    pub fn kept_quality(&self, manifest: &Manifest) -> Option<QualityReport> {
        let kept = self.find_cache()?.quality(&manifest.id)?;
        let report: Option<QualityReport> = serde_json::from_slice(&kept).ok();
        report.filter(|report| report.is_of(manifest))
    }

    async fn quality_json(&self, id: &GenerationId, number: u32) -> Result<Option<Bytes>> {
        let name = names::numbered_report(id, KIND, number)?;
        Ok(self.storage.get(&name, REPORT_LEN_MAX).await?)
    }

    /// Returns the name under which a report is to be published with a generation: that of the
    /// newest, if it says the same, else the next. The same rows may be tested anew.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] if storage cannot be read.
    pub async fn quality_name(&self, id: &GenerationId, json: &[u8]) -> Result<String> {
        let mut number = self.last_report_number(id, KIND).await?.unwrap_or_default();
        let newest = self.quality_json(id, number).await?;
        if newest.is_none_or(|newest| newest != json) {
            number += 1;
        }
        Ok(names::numbered(KIND, number))
    }
}
