//! How an S3 server is reached: the configuration, then the environment, profiles and roles of AWS.

use aws_config::{
    Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Builder, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;

use crate::{Checksums, Config, config::S3Config};

/// The region where nobody names one: servers other than AWS mostly ignore it.
const REGION_DEFAULT: &str = "us-east-1";

/// Makes a client; this asks nobody, so that what is wrong shows at the first request.
pub(super) async fn client(config: &Config) -> Client {
    let shared = shared(config).await;
    let s3 = &config.s3;
    let path_style = s3.path_style.unwrap_or_else(|| has_endpoint(&shared));
    let mut builder = Builder::from(&shared).force_path_style(path_style);
    // Whoever configures an endpoint here means it, whatever the environment says of S3.
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    // The default leaves the environment its say.
    if s3.checksums == Checksums::WhenRequired {
        builder = builder
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Client::from_conf(builder.build())
}

/// Reads what environment and profile say. Retries and stalls are the business of
/// [`crate::retry::Retry`] alone.
async fn shared(config: &Config) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(config.stall());
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(region(&config.s3))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &config.s3.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

/// Names the region without asking the network for it, as the SDK's own chain would.
fn region(config: &S3Config) -> RegionProviderChain {
    RegionProviderChain::first_try(config.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::new(REGION_DEFAULT))
}

/// Returns whether configuration, environment or profile name an endpoint.
fn has_endpoint(shared: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = shared.service_config().zip(key.ok());
    shared.endpoint_url().is_some()
        || of_service.is_some_and(|(config, key)| config.load_config(key).is_some())
}
