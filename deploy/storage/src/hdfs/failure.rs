//! What HDFS's errors mean.

use hdfs_native::HdfsError;

use crate::retry::Failure;

const DENIED: &str = "access is denied: check owner and mode of the folder, and as whom this runs \
    (HADOOP_USER_NAME, or the Kerberos principal)";
const KERBEROS: &str = "Kerberos does not let this in: check the ticket (klist, kinit, KRB5CCNAME), \
    HADOOP_CONF_DIR, and that libgssapi_krb5 is installed";
const NAME_TOO_LONG: &str = "the name is too long: use a shorter folder";
const QUOTA: &str = "the folder's quota is used up: raise it, or delete what is old";
const IN_THE_WAY: &str = "a file stands where a folder belongs: move it away";
const CLIENT: &str = "the cluster or its configuration asks for what this program does not know: \
    check the URI and HADOOP_CONF_DIR";

/// Returns what an error means where it has no meaning of its own for the request.
pub(super) fn failure(error: HdfsError) -> Failure {
    match problem(&error) {
        Some(problem) => Failure::Refused {
            problem,
            cause: first_line(&error).into(),
        },
        None => Failure::Transient(first_line(&error).into()),
    }
}

/// Returns what is wrong and the remedy, if trying again is of no use.
fn problem(error: &HdfsError) -> Option<&'static str> {
    match error {
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            problem_of_class(class.rsplit(['.', '$']).next().unwrap_or_default())
        }
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            Some(KERBEROS)
        }
        // Where a file may be there already, whoever asked has looked at this before.
        HdfsError::AlreadyExists(_) => Some(IN_THE_WAY),
        HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::UrlParseError(_)
        | HdfsError::XmlParseError(_)
        | HdfsError::UnsupportedErasureCodingPolicy(_)
        | HdfsError::UnsupportedFeature(_) => Some(CLIENT),
        _ => None,
    }
}

/// Takes the last part of the name of a Java class.
fn problem_of_class(class: &str) -> Option<&'static str> {
    match class {
        "AccessControlException" | "AuthorizationException" => Some(DENIED),
        "SaslException" | "GSSException" | "InvalidToken" => Some(KERBEROS),
        "PathComponentTooLongException" | "InvalidPathException" => Some(NAME_TOO_LONG),
        "DSQuotaExceededException" | "NSQuotaExceededException" | "QuotaExceededException" => {
            Some(QUOTA)
        }
        "ParentNotDirectoryException" => Some(IN_THE_WAY),
        _ => None,
    }
}

/// Leaves out the stack that a NameNode sends along.
fn first_line(error: &HdfsError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Turns the absence of a file into `None`.
pub(super) fn absent_as_none<T>(done: hdfs_native::Result<T>) -> Result<Option<T>, Failure> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(HdfsError::FileNotFound(_)) => Ok(None),
        // A file is where a folder above would be.
        Err(error) if problem(&error) == Some(IN_THE_WAY) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_retry_mends_is_refused() {
        let of_server = |class: &str| HdfsError::RPCError(class.into(), "said\n at java".into());
        for (error, expected) in [
            (
                of_server("org.apache.hadoop.security.AccessControlException"),
                Some(DENIED),
            ),
            (
                of_server("org.apache.hadoop.security.token.SecretManager$InvalidToken"),
                Some(KERBEROS),
            ),
            (
                of_server(
                    "org.apache.hadoop.hdfs.protocol.FSLimitException$PathComponentTooLongException",
                ),
                Some(NAME_TOO_LONG),
            ),
            (
                of_server("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException"),
                Some(QUOTA),
            ),
            (
                of_server("org.apache.hadoop.hdfs.server.namenode.SafeModeException"),
                None,
            ),
            (of_server("org.apache.hadoop.ipc.StandbyException"), None),
            (HdfsError::NoSASLMechanism, Some(KERBEROS)),
            (HdfsError::DataTransferError("gone".into()), None),
        ] {
            assert_eq!(problem(&error), expected, "{error}");
            assert!(!first_line(&error).contains("java\n"));
        }
    }
}
