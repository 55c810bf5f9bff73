//! Types that are written as one word of text.

/// `From<T> for String` and `TryFrom<String> for T` by `Display` and `FromStr`, which serde's `into` and `try_from` ask for.
#[macro_export]
macro_rules! written_as_text {
    ($type:ty, $error:ty) => {
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                ::std::string::ToString::to_string(&value)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }
    };
}

pub(crate) use crate::written_as_text;
