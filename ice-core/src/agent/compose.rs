//! Intents become messages. The only place where the agent writes STUN.

use super::answer::{Answer, AnswerKind};
use super::{Agent, MAX_TRANSMIT};
use crate::trace::TraceEvent;
use crate::transaction::BindingRequest;
use crate::wire::{BufferTooSmall, Class, ErrorCode, MessageWriter, Method};

impl Agent {
    /// RFC 8445 §7.1: a connectivity check, or a consent check, which looks the same (RFC 7675 §5.1). `None` if the
    /// peer's credentials are not known: nobody could read it.
    pub(super) fn write_request(
        &self,
        request: &BindingRequest,
        scratch: &mut [u8; MAX_TRANSMIT],
    ) -> Option<usize> {
        let generation = self.generations.of(request.pair)?;
        let remote = generation.remote.as_ref()?;
        let mut message = MessageWriter::new(scratch, Class::Request, Method::BINDING, request.id)
            .username(remote.credentials.ufrag(), generation.local.ufrag())
            .priority(request.priority)
            .role(request.claim);
        if request.use_candidate {
            message = message.use_candidate();
        }
        if let Some(number) = request.nomination {
            message = message.nomination(number);
        }
        message.sign(&remote.key).ok()
    }

    /// RFC 8445 §7.3 and RFC 8489 §9.1.3: signed with our password, but for the two that refuse credentials.
    pub(super) fn write_answer(
        &mut self,
        answer: &Answer,
        scratch: &mut [u8; MAX_TRANSMIT],
    ) -> Option<usize> {
        let key = &self.generations.get(answer.generation)?.local_key;
        let class = if matches!(answer.kind, AnswerKind::Success) { Class::Success } else { Class::Error };
        let message = MessageWriter::new(scratch, class, Method::BINDING, answer.id);
        let error = |message: MessageWriter<'_>, code: ErrorCode<'static>| -> Result<usize, BufferTooSmall> {
            message.error_code(code).sign(key)
        };
        let written = match &answer.kind {
            AnswerKind::Success => message.xor_mapped_address(answer.tuple.remote).sign(key),
            AnswerKind::NoCredentials => message.error_code(ErrorCode::BAD_REQUEST).finish_with_fingerprint(),
            AnswerKind::Unauthenticated => {
                message.error_code(ErrorCode::UNAUTHENTICATED).finish_with_fingerprint()
            }
            AnswerKind::BadRequest => error(message, ErrorCode::BAD_REQUEST),
            AnswerKind::UnknownAttributes(unknown) => message
                .error_code(ErrorCode::UNKNOWN_ATTRIBUTE)
                .unknown_attributes(unknown.as_slice())
                .sign(key),
            AnswerKind::RoleConflict => error(message, ErrorCode::ROLE_CONFLICT),
        };
        let error = answer.kind.code().map(ErrorCode::code);
        self.tracer.emit(
            self.now,
            TraceEvent::RequestAnswered { tuple: answer.tuple, transaction: answer.id, error },
        );
        written.ok()
    }
}

impl AnswerKind {
    fn code(&self) -> Option<ErrorCode<'static>> {
        Some(match self {
            Self::Success => return None,
            Self::NoCredentials | Self::BadRequest => ErrorCode::BAD_REQUEST,
            Self::Unauthenticated => ErrorCode::UNAUTHENTICATED,
            Self::UnknownAttributes(_) => ErrorCode::UNKNOWN_ATTRIBUTE,
            Self::RoleConflict => ErrorCode::ROLE_CONFLICT,
        })
    }
}
