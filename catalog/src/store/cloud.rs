//! Opens a prefix of a bucket or container at Amazon S3 (and its likes), Google Cloud Storage or Azure.

use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use super::StoreOptions;
use crate::error::{Error, Result};

/// How each cloud's keys begin, in lower case.
const AWS: &str = "aws_";
const GOOGLE: &str = "google_";
const AZURE: &str = "azure_";

/// Whether URLs with this scheme (in lower case) are opened here.
pub(super) fn is_scheme(scheme: &str) -> bool {
    matches!(scheme, "s3" | "s3a" | "gs" | "az" | "adl" | "azure" | "abfs" | "abfss")
}

/// A store rooted at the URL's path. Conditional puts are on by default in all three.
pub(super) fn open(url: &Url, options: &StoreOptions) -> Result<Arc<dyn ObjectStore>> {
    let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(|e| {
        Error::Invalid(format!("\"{url}\" doesn't say where the warehouse is: write scheme://bucket/prefix ({e})"))
    })?;
    let failed = |e| Error::store(format!("cannot open {url}"), e);
    match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let builder = settings(options, AWS)
                .into_iter()
                .fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
            Ok(rooted(builder.with_url(url.as_str()).build().map_err(failed)?, prefix))
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = settings(options, GOOGLE)
                .into_iter()
                .fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
            Ok(rooted(builder.with_url(url.as_str()).build().map_err(failed)?, prefix))
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = settings(options, AZURE)
                .into_iter()
                .fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
            Ok(rooted(builder.with_url(url.as_str()).build().map_err(failed)?, prefix))
        }
        _ => Err(Error::Unsupported(format!("a warehouse can't be kept at {url}"))),
    }
}

fn rooted(store: impl ObjectStore, prefix: Path) -> Arc<dyn ObjectStore> {
    if prefix.is_root() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) }
}

/// The settings that are for this cloud, parsed.
///
/// The environment of a cloud's own tools holds keys that no store knows (`AWS_PAGER`, `AWS_PROFILE`), so an unknown
/// key is a warning and not an error.
fn settings<K: FromStr>(options: &StoreOptions, cloud: &str) -> Vec<(K, String)> {
    let mut known = Vec::new();
    for (key, value) in &options.settings {
        let key = key.to_ascii_lowercase();
        if [AWS, GOOGLE, AZURE].iter().any(|other| *other != cloud && key.starts_with(other)) {
            continue;
        }
        match key.parse() {
            Ok(parsed) => known.push((parsed, value.clone())),
            Err(_) => tracing::warn!("the storage setting {key} is not known to this store and has no effect"),
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::aws::AmazonS3ConfigKey;

    fn options(settings: &[(&str, &str)]) -> StoreOptions {
        StoreOptions { settings: settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect() }
    }

    #[test]
    fn takes_the_keys_of_its_own_cloud() {
        let given = options(&[
            ("AWS_ACCESS_KEY_ID", "id"),
            ("aws_endpoint", "http://localhost:9000"),
            ("AWS_PAGER", "less"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "secret"),
        ]);
        let keys: Vec<AmazonS3ConfigKey> = settings(&given, AWS).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::Endpoint]);
        assert!(!format!("{given:?}").contains("secret"));
    }
}
