//! The calls that cryptoki has no words for: those with mechanisms that are not in its list, which it also drops from a token's.

#![expect(
    unsafe_code,
    reason = "PKCS#11 is a C interface, and cryptoki hides its own function list"
)]

use std::path::Path;
use std::ptr::{from_mut, null_mut};

use cryptoki::context::Function;
use cryptoki::error::{Error, Result, Rv, RvError};
use cryptoki::mechanism::MechanismInfo;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_FUNCTION_LIST, CK_MECHANISM, CK_MECHANISM_INFO, CK_MECHANISM_TYPE,
    CK_RSA_AES_KEY_WRAP_PARAMS, CK_RSA_PKCS_OAEP_PARAMS, CK_TOKEN_INFO, CKA_ID, CKA_LABEL,
    CKF_CLOCK_ON_TOKEN, CKG_MGF1_SHA1, CKM_SHA_1, CKZ_DATA_SPECIFIED,
};

use key_metadata::CkaId;

use crate::wrap::WrapMechanism;

/// Bytes of the longest CKA_ID that a [`CkaId`] is made of; a label of ours has 32.
const LONGEST_NAME: usize = 255;

/// Room for an RSA-4096 key that was wrapped, which takes 2384 bytes.
const USUAL_LENGTH: usize = 4096;

/// What an object is called.
pub(crate) struct Name {
    pub(crate) id: CkaId,
    pub(crate) label: String,
}

/// The function list of a module that cryptoki has loaded and initialised.
pub(crate) struct Raw {
    functions: CK_FUNCTION_LIST,
    // The functions are in it.
    _library: cryptoki_sys::Pkcs11,
}

impl Raw {
    /// The list of that module: the loader gives out one instance of a shared object, however often it is opened.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        // SAFETY: cryptoki has loaded the same file before, so its initialisers have run already.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }.map_err(Error::LibraryLoading)?;
        let get = match &library.C_GetFunctionList {
            Ok(get) => *get,
            Err(_) => return Err(Error::MissingSymbol("C_GetFunctionList")),
        };
        let mut list = null_mut();
        // SAFETY: `list` is a place for the one pointer that C_GetFunctionList writes.
        Rv::from(unsafe { get(&mut list) }).into_result(Function::GetFunctionList)?;
        if list.is_null() {
            return Err(Error::NullFunctionPointer);
        }
        // SAFETY: the module says that its list is there, and it is as old as PKCS#11 2.0: every version starts alike.
        let functions = unsafe { *list };
        Ok(Self {
            functions,
            _library: library,
        })
    }

    /// The numbers of all mechanisms of a slot's token.
    pub(crate) fn mechanisms(&self, slot: Slot) -> Result<Vec<CK_MECHANISM_TYPE>> {
        let call = self
            .functions
            .C_GetMechanismList
            .ok_or(Error::NullFunctionPointer)?;
        let mut count = 0;
        // SAFETY: without a list C_GetMechanismList only writes the number of mechanisms.
        Rv::from(unsafe { call(slot.into(), null_mut(), &mut count) })
            .into_result(Function::GetMechanismList)?;
        let mut numbers = vec![0; count.try_into()?];
        // SAFETY: `numbers` has room for `count` of them, and a token that has more by now says CKR_BUFFER_TOO_SMALL.
        Rv::from(unsafe { call(slot.into(), numbers.as_mut_ptr(), &mut count) })
            .into_result(Function::GetMechanismList)?;
        numbers.truncate(count.try_into()?);
        Ok(numbers)
    }

    /// What a slot's token says of itself.
    ///
    /// Without its clock, which nobody here reads: opencryptoki writes `16:28:07` there, and cryptoki then denies the whole record.
    pub(crate) fn token_info(&self, slot: Slot) -> Result<TokenInfo> {
        let call = self.functions.C_GetTokenInfo.ok_or(Error::NullFunctionPointer)?;
        let mut info = CK_TOKEN_INFO::default();
        // SAFETY: `info` is a place for the record that C_GetTokenInfo writes.
        Rv::from(unsafe { call(slot.into(), &mut info) }).into_result(Function::GetTokenInfo)?;
        info.flags &= !CKF_CLOCK_ON_TOKEN;
        TokenInfo::try_from(info)
    }

    /// What the token says of one of its mechanisms.
    pub(crate) fn mechanism_info(&self, slot: Slot, number: CK_MECHANISM_TYPE) -> Result<MechanismInfo> {
        let call = self
            .functions
            .C_GetMechanismInfo
            .ok_or(Error::NullFunctionPointer)?;
        let mut info = CK_MECHANISM_INFO::default();
        // SAFETY: `info` is a place for the record that C_GetMechanismInfo writes.
        Rv::from(unsafe { call(slot.into(), number, &mut info) }).into_result(Function::GetMechanismInfo)?;
        Ok(MechanismInfo::from(info))
    }

    /// The CKA_ID and the CKA_LABEL of an object, by one call: cryptoki makes three, since it asks for each length before. `None` where the token
    /// does not tell both so, or one of them is longer than any that is ours.
    pub(crate) fn name(&self, session: &Session, object: ObjectHandle) -> Result<Option<Name>> {
        let call = self
            .functions
            .C_GetAttributeValue
            .ok_or(Error::NullFunctionPointer)?;
        let (mut id, mut label) = ([0_u8; LONGEST_NAME], [0_u8; LONGEST_NAME]);
        let room = LONGEST_NAME.try_into()?;
        let wanted = |type_, value: &mut [u8; LONGEST_NAME]| CK_ATTRIBUTE {
            type_,
            pValue: value.as_mut_ptr().cast(),
            ulValueLen: room,
        };
        let mut both = [wanted(CKA_ID, &mut id), wanted(CKA_LABEL, &mut label)];
        // SAFETY: there are two of `both`, each of which points to what has room for as many bytes as it says.
        let answer = unsafe { call(session.handle(), object.handle(), both.as_mut_ptr(), 2) };
        match Rv::from(answer).into_result(Function::GetAttributeValue) {
            Ok(()) => {}
            // The last one is SoftHSM's answer about an object of which it has written nothing yet.
            Err(Error::Pkcs11(
                RvError::BufferTooSmall | RvError::AttributeTypeInvalid | RvError::AttributeValueInvalid,
                _,
            )) => return Ok(None),
            Err(error) => return Err(error),
        }
        let [id_length, label_length] = both.map(|told| usize::try_from(told.ulValueLen).ok());
        let id = id_length.and_then(|length| CkaId::try_from(id.get(..length)?).ok());
        let label = label_length.and_then(|length| label.get(..length));
        Ok(id.zip(label).map(|(id, label)| Name {
            id,
            label: String::from_utf8_lossy(label).into_owned(),
        }))
    }

    /// C_WrapKey, asked once where the answer has the usual length: some tokens wrap the key to tell the length, and again to give it out.
    pub(crate) fn wrap(
        &self,
        session: &Session,
        mechanism: WrapMechanism,
        wrapping: ObjectHandle,
        key: ObjectHandle,
    ) -> Result<Vec<u8>> {
        let call = self.functions.C_WrapKey.ok_or(Error::NullFunctionPointer)?;
        let (session, wrapping, key) = (session.handle(), wrapping.handle(), key.handle());
        with_parameters(mechanism, |mechanism| {
            let mut ask = |room: usize| {
                let (mut wrapped, mut length) = (vec![0; room], room.try_into()?);
                // SAFETY: `mechanism` and its parameters live in `with_parameters`, and `wrapped` has room for `length` bytes.
                let answer = unsafe {
                    call(
                        session,
                        mechanism,
                        wrapping,
                        key,
                        wrapped.as_mut_ptr(),
                        &mut length,
                    )
                };
                let length = length.try_into()?;
                match Rv::from(answer).into_result(Function::WrapKey) {
                    Ok(()) => {
                        wrapped.truncate(length);
                        Ok((wrapped, length))
                    }
                    // `length` is what it takes.
                    Err(Error::Pkcs11(RvError::BufferTooSmall, _)) if length > room => {
                        Ok((Vec::new(), length))
                    }
                    Err(error) => Err(error),
                }
            };
            match ask(USUAL_LENGTH)? {
                (wrapped, length) if wrapped.is_empty() => Ok(ask(length)?.0),
                (wrapped, _) => Ok(wrapped),
            }
        })
    }

    /// C_UnwrapKey: the key that was wrapped, as an object with those attributes.
    pub(crate) fn take_back(
        &self,
        session: &Session,
        mechanism: WrapMechanism,
        wrapping: ObjectHandle,
        wrapped: &[u8],
        template: &[Attribute],
    ) -> Result<ObjectHandle> {
        let call = self.functions.C_UnwrapKey.ok_or(Error::NullFunctionPointer)?;
        let mut template: Vec<CK_ATTRIBUTE> = template.iter().map(CK_ATTRIBUTE::from).collect();
        let (count, length) = (template.len().try_into()?, wrapped.len().try_into()?);
        // C_UnwrapKey takes the bytes as changeable, and a module could change them.
        let mut wrapped = wrapped.to_vec();
        with_parameters(mechanism, |mechanism| {
            let mut key = 0;
            // SAFETY: `mechanism` and its parameters live in `with_parameters`, the template borrows from the caller's attributes,
            // `wrapped` is of that length, and `key` is a place for the one handle that is written.
            let answer = unsafe {
                call(
                    session.handle(),
                    mechanism,
                    wrapping.handle(),
                    wrapped.as_mut_ptr(),
                    length,
                    template.as_mut_ptr(),
                    count,
                    &mut key,
                )
            };
            Rv::from(answer).into_result(Function::UnwrapKey)?;
            // SAFETY: the handle is the one that the module has just given for this session.
            Ok(unsafe { ObjectHandle::new_from_raw(key) })
        })
    }
}

/// Runs a call with the mechanism and its parameters, which live no longer.
fn with_parameters<T>(
    mechanism: WrapMechanism,
    call: impl FnOnce(&mut CK_MECHANISM) -> Result<T>,
) -> Result<T> {
    // With SHA-1, which every token with OAEP has: nothing here rests on its collisions being hard to find (RFC 8017 B.1).
    let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA_1,
        mgf: CKG_MGF1_SHA1,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: null_mut(),
        ulSourceDataLen: 0,
    };
    let mut hybrid = CK_RSA_AES_KEY_WRAP_PARAMS {
        ulAESKeyBits: 256,
        pOAEPParams: from_mut(&mut oaep),
    };
    // Zeros: what is wrapped in this way is a throwaway key under another one.
    let mut iv = [0_u8; 16];
    let (parameters, length) = match mechanism {
        WrapMechanism::AesKeyWrapKwp | WrapMechanism::AesKeyWrapPad => (null_mut(), 0),
        WrapMechanism::RsaAesKeyWrap => (
            from_mut(&mut hybrid).cast(),
            size_of::<CK_RSA_AES_KEY_WRAP_PARAMS>(),
        ),
        WrapMechanism::AesCbcPad => (iv.as_mut_ptr().cast(), iv.len()),
    };
    call(&mut CK_MECHANISM {
        mechanism: mechanism.number(),
        pParameter: parameters,
        ulParameterLen: length.try_into()?,
    })
}
