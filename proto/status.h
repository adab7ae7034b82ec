/*
 * Every status of the project, numbered for ever: retired, never reused.
 *
 * 0          done
 * 1..99      what went wrong in this process; never on the wire
 * 100..129   a whole message was refused; 113 refuses rows too
 * 130..179   one item was refused                 (fits a byte: results travel as one byte a row)
 * 180..219   an administrative message was refused
 * 220..255   one item was refused, continued
 *
 * The texts are English for machines and logs; people read them through gettext.
 */
#ifndef SQ_STATUS_H
#define SQ_STATUS_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#define SQ_MUST_CHECK        __attribute__((warn_unused_result))
#define SQ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* name, number, retry (1: the same message or row, unchanged, may be accepted later: time passes, or somebody else acts), text */
#define SQ_STATUS_MAP(X)                                                                                               \
    X(SQ_OK, 0, 0, "ok")                                                                                               \
    X(SQ_E_NOMEM, 1, 0, "out of memory")                                                                               \
    X(SQ_E_OVERFLOW, 2, 0, "amount out of range")                                                                      \
    X(SQ_E_STORAGE, 3, 0, "ledger storage failed")                                                                     \
    X(SQ_E_CORRUPT, 4, 0, "stored bytes do not match their hash")                                                      \
    X(SQ_E_FULL, 5, 0, "a limit of this process is reached")                                                           \
    X(SQ_E_NOT_FOUND, 6, 0, "not found")                                                                               \
    X(SQ_E_LOCKED, 7, 0, "in use by another process")                                                                  \
    X(SQ_E_FORMAT, 8, 0, "not in the expected format")                                                                 \
    X(SQ_E_CRYPTO, 9, 0, "key or signature is not usable")                                                             \
    X(SQ_E_NETWORK, 10, 0, "network failed")                                                                           \
    X(SQ_E_CONFIG, 11, 0, "configuration is wrong")                                                                    \
    X(SQ_E_TIMEOUT, 12, 0, "no answer in time")                                                                        \
    X(SQ_E_FOREIGN, 13, 0, "belongs to another network or format")                                                     \
    X(SQ_E_IO, 14, 0, "file could not be read or written")                                                             \
    X(SQ_E_USAGE, 15, 0, "wrong use of a command")                                                                     \
    X(SQ_E_VERIFY, 16, 0, "verification failed")                                                                       \
    X(SQ_R_UNKNOWN_SENDER, 101, 1, "sender is not enrolled here")                                                      \
    X(SQ_R_BAD_SIGNATURE, 102, 0, "signature does not verify")                                                         \
    X(SQ_R_WRONG_NETWORK, 103, 0, "message is for another network")                                                    \
    X(SQ_R_WRONG_RECEIVER, 104, 0, "message is for another node")                                                      \
    X(SQ_R_MALFORMED, 105, 0, "message is not in canonical form")                                                      \
    X(SQ_R_UNKNOWN_TYPE, 106, 0, "message type or version is unknown")                                                 \
    X(SQ_R_GAP, 107, 1, "earlier messages of this sender are missing")                                                 \
    X(SQ_R_ID_REUSED, 108, 0, "other bytes were sent under this id before")                                            \
    X(SQ_R_BUSY, 109, 1, "node is busy, try again later")                                                              \
    X(SQ_R_NOT_PERMITTED, 110, 0, "sender's role may not send this")                                                   \
    X(SQ_R_SUSPENDED, 111, 1, "sender is suspended")                                                                   \
    X(SQ_R_DISK_LOW, 112, 1, "node is short of disk and takes no new work")                                            \
    X(SQ_R_EXPIRED, 113, 1, "request was decided after its stated time")                                               \
    X(SQ_R_WRONG_TRANSPORT, 114, 0, "connection belongs to another participant")                                       \
    X(SQ_R_BATCH_SIZE, 115, 0, "batch is empty or too large")                                                          \
    X(SQ_R_COLUMNS, 116, 0, "columns do not have the same number of rows")                                             \
    X(SQ_R_ALGORITHM, 117, 0, "signature algorithm is not supported")                                                  \
    X(SQ_R_ORDER, 118, 0, "rows are not in ascending order")                                                           \
    X(SQ_R_UNKNOWN_QUERY, 119, 0, "nothing is known under this query path")                                            \
    X(SQ_R_ANSWER_SIZE, 120, 0, "answer does not fit into one message")                                                \
    X(SQ_R_UNKNOWN_ISSUER, 130, 0, "no node of the network hosts this issuer")                                         \
    X(SQ_R_UNKNOWN_VOUCHER, 131, 1, "voucher is not known to its issuer")                                              \
    X(SQ_R_VOUCHER_EXPIRED, 133, 0, "voucher has expired")                                                             \
    X(SQ_R_VOUCHER_REVOKED, 134, 0, "voucher was revoked")                                                             \
    X(SQ_R_VOUCHER_OVERDRAWN, 135, 1, "amount exceeds what is left of the voucher")                                    \
    X(SQ_R_NO_MANDATE, 136, 1, "holder has not authorised this provider for this voucher")                             \
    X(SQ_R_MANDATE_EXPIRED, 137, 1, "holder's mandate has expired")                                                    \
    X(SQ_R_MANDATE_OVERDRAWN, 138, 1, "amount exceeds what is left of the holder's mandate")                           \
    X(SQ_R_POOL_EXHAUSTED, 139, 1, "amount exceeds what is left of the programme's pool")                              \
    X(SQ_R_RATE_EXCEEDED, 140, 0, "amount exceeds the rate times the base")                                            \
    X(SQ_R_CAP_CLAIM, 141, 0, "amount exceeds the cap per claim")                                                      \
    X(SQ_R_CAP_YEAR, 142, 1, "amount exceeds what is left of the holder's yearly cap")                                 \
    X(SQ_R_CAP_TOTAL, 143, 1, "amount exceeds what is left of the holder's lifetime cap")                              \
    X(SQ_R_BELOW_MINIMUM, 144, 0, "base is below the programme's minimum")                                             \
    X(SQ_R_SERVICE, 145, 0, "service is not eligible under the programme")                                             \
    X(SQ_R_SERVICE_DAY, 146, 0, "service day is outside the programme")                                                \
    X(SQ_R_SELF_USE, 147, 0, "holder and provider are the same organisation")                                          \
    X(SQ_R_PROVIDER_REGION, 148, 0, "programme does not honour providers of this region")                              \
    X(SQ_R_UNKNOWN_PROGRAMME, 149, 1, "programme is not known here")                                                   \
    X(SQ_R_INVOICE_FORMAT, 150, 0, "invoice number is not 20 decimal digits")                                          \
    X(SQ_R_INVOICE_OVERDRAWN, 151, 0, "invoice is already claimed, or claimed beyond its total")                       \
    X(SQ_R_INVOICE_TOTAL, 152, 0, "invoice total differs from the one registered before")                              \
    X(SQ_R_INVOICE_SELLER, 153, 0, "invoice was registered by another provider")                                       \
    X(SQ_R_INVOICE_STACKING, 154, 0, "another programme has claimed this invoice")                                     \
    X(SQ_R_AMOUNT, 155, 0, "amount, base or total is out of range")                                                    \
    X(SQ_R_VERB, 156, 0, "unknown verb")                                                                               \
    X(SQ_R_RESERVATION_UNKNOWN, 157, 0, "reservation is unknown, used or expired")                                     \
    X(SQ_R_RESERVATION_EXISTS, 158, 0, "reservation number was used before")                                           \
    X(SQ_R_RESERVATION_EXCEEDED, 159, 0, "amount exceeds what was reserved")                                           \
    X(SQ_R_RESERVATION_TERM, 160, 0, "reservation must end within 90 days from now")                                   \
    X(SQ_R_RETURN_EXCEEDS, 161, 0, "return exceeds what was spent on this voucher and invoice")                        \
    X(SQ_R_WINDOW_CLOSED, 162, 1, "programme takes no claims at this time")                                            \
    X(SQ_R_HOLDER_REGION, 163, 1, "holder's region is not eligible under the programme")                               \
    X(SQ_R_HOLDER_SECTOR, 164, 1, "holder's sector is not eligible under the programme")                               \
    X(SQ_R_HOLDER_CONDITION, 165, 1, "holder does not meet a condition of the programme")                              \
    X(SQ_R_PROVIDER_LIST, 166, 1, "provider is not on the programme's list")                                           \
    X(SQ_R_PROVIDER_CONDITION, 167, 1, "provider does not meet a condition of the programme")                          \
    X(SQ_R_CONTRACT_TERMS, 168, 0, "contract's date, term or amount is outside the programme")                         \
    X(SQ_R_VOUCHER_CONDITION, 169, 0, "voucher does not meet a condition of the programme")                            \
    X(SQ_R_CHANNEL, 170, 0, "order did not go through a channel of the programme")                                     \
    X(SQ_R_FILING, 171, 0, "model has no filing number that the programme asks for")                                   \
    X(SQ_R_CLAIM_CONDITION, 172, 0, "claim does not meet a condition of the programme")                                \
    X(SQ_R_DOCUMENTS, 173, 0, "a document that the programme asks for is missing")                                     \
    X(SQ_R_NO_TIER, 174, 0, "no tier of the programme fits the claim")                                                 \
    X(SQ_R_SUPPORT_PERIOD, 175, 0, "holder's support has lasted as long as the programme allows")                      \
    X(SQ_R_HOLDER_SANCTIONED, 176, 1, "holder is or was under a sanction")                                             \
    X(SQ_R_PROVIDER_SANCTIONED, 177, 1, "provider is under a sanction")                                                \
    X(SQ_R_RELATED_PARTY, 178, 0, "holder and provider are related")                                                   \
    X(SQ_R_TOO_LATE, 179, 1, "claim was received too long ago to be decided")                                          \
    X(SQ_R_BAD_USCC, 180, 0, "not a valid unified social credit code")                                                 \
    X(SQ_R_BAD_KEY, 181, 0, "not a usable public key")                                                                 \
    X(SQ_R_ALREADY_ENROLLED, 182, 0, "participant is enrolled with other keys")                                        \
    X(SQ_R_UNKNOWN_HOLDER, 183, 1, "holder is not enrolled here")                                                      \
    X(SQ_R_PROGRAMME_TERMS, 184, 0, "programme terms are out of range")                                                \
    X(SQ_R_SERIAL_GAP, 185, 0, "voucher serials do not continue the programme's")                                      \
    X(SQ_R_NOT_YOUR_ISSUER, 186, 0, "sender does not act for this issuer")                                             \
    X(SQ_R_NOT_YOUR_VOUCHER, 187, 0, "voucher belongs to another holder")                                              \
    X(SQ_R_WINDOW_STATE, 188, 0, "window is not in a state that allows this")                                          \
    X(SQ_R_SAME_PERSON, 189, 0, "maker and checker must be two operators")                                             \
    X(SQ_R_CONFIRM_DIFFERS, 190, 0, "confirmed payments differ from the settlement")                                   \
    X(SQ_R_UNKNOWN_NODE, 191, 0, "node is not in the directory")                                                       \
    X(SQ_R_PROGRAMME_VERSION, 192, 0, "programme version does not follow the one in force")                            \
    X(SQ_R_LINK_BROKEN, 193, 0, "link stream does not continue the one known here")                                    \
    X(SQ_R_FACT, 194, 0, "attribute, value or days of a statement are out of range")                                   \
    X(SQ_R_VALIDITY, 195, 0, "voucher would be valid longer than the programme allows")                                \
    X(SQ_R_OVERRIDE, 196, 0, "override names no rule that it may lift, no approver or no reason")                      \
    X(SQ_R_APPLICATION, 197, 0, "application is unknown, closed, or asks for nothing")                                 \
    X(SQ_R_NOT_OFFERED, 198, 0, "programme does not offer this")                                                       \
    X(SQ_R_PREFUND, 199, 0, "more than what is left of the money in advance, or no provider of this node")             \
    X(SQ_R_EVALUATOR, 200, 1, "evaluator is not on the programme's list")                                              \
    X(SQ_R_STAGE, 201, 0, "stage is unknown, over, or waits for something else")                                       \
    X(SQ_R_BASELINE, 202, 1, "no baseline was measured for this, or another one stands")                               \
    X(SQ_R_NOT_REACHED, 203, 1, "what was measured does not reach what the stage asks for")                            \
    X(SQ_R_AGREEMENT, 204, 0, "agreement's terms are out of range, or its version does not follow")                    \
    X(SQ_R_BREAK_STATE, 205, 0, "no open break of this link is in a state that allows this")                           \
    X(SQ_R_NOTE, 206, 0, "a reason of 1 to 199 bytes is needed")                                                       \
    X(SQ_R_DEBIT_CAP_TERMS, 207, 0, "cap or alarm share is out of range")                                              \
    X(SQ_R_NOT_ENTERED, 208, 0, "a checker agrees to what a maker has entered, and this is not it")                    \
    X(SQ_R_STANDING, 209, 0, "region cannot become that, or owes nothing in that window")                              \
    X(SQ_R_ACCOUNT, 210, 0, "amount is out of range, or more than the account can give")                               \
    X(SQ_R_REVERSAL, 211, 1, "returns are not what the invoice's new total no longer covers")                          \
    X(SQ_R_DISPUTE_STATE, 212, 0, "no case of this number is in a state that allows this")                             \
    X(SQ_R_DISPUTED, 213, 0, "item has a case, or had one already")                                                    \
    X(SQ_R_DISPUTE_TERMS, 214, 0, "case's reason, amount or documents are out of range")                               \
    X(SQ_R_CALENDAR, 215, 0, "days are not of the year, out of order, or leave too few working days")                  \
    X(SQ_R_CONTRACT_BASE, 220, 1, "bases exceed the contract, or what was approved of it")                             \
    X(SQ_R_METERED, 221, 0, "base exceeds the metered quantity at the programme's price")                              \
    X(SQ_R_LIMIT, 222, 1, "more than what is left of a limit of the programme")                                        \
    X(SQ_R_LIMIT_SOFT, 223, 1, "over a usual limit of the programme, and no override is given")                        \
    X(SQ_R_QUOTA, 224, 1, "quantity exceeds what is left of the voucher's quota")                                      \
    X(SQ_R_CONTRACT_TAKEN, 225, 0, "another voucher was granted for this contract")                                    \
    X(SQ_R_SERVICE_TAKEN, 226, 0, "this delivery was claimed from another voucher")                                    \
    X(SQ_R_EXCLUDED, 227, 1, "another programme's support excludes this one")                                          \
    X(SQ_R_REQUIRED, 228, 1, "programme goes only with another one's support")                                         \
    X(SQ_R_HIGHER_ONLY, 229, 1, "two programmes would pay more than the higher of them")                               \
    X(SQ_R_SHARE_LIMIT, 230, 1, "two programmes would pay more than their share of the contract")                      \
    X(SQ_R_PAYEE, 231, 0, "programme does not pay whom the claim names")                                               \
    X(SQ_R_RIVAL, 232, 0, "another party's application for this contract comes first")                                 \
    X(SQ_R_ASSESSED_OUT, 233, 0, "application was assessed as not eligible")                                           \
    X(SQ_R_STAGE_NOT_FREE, 234, 1, "amount exceeds the stages that are free")                                          \
    X(SQ_R_NO_AGREEMENT, 235, 1, "the two regions have no agreement on this kind of voucher")                          \
    X(SQ_R_AGREEMENT_RATE, 236, 0, "amount exceeds the rate that the regions have agreed on")                          \
    X(SQ_R_AGREEMENT_EXPOSURE, 237, 1, "region may not owe the other more before it is settled")                       \
    X(SQ_R_BUNDLE, 238, 1, "another part of its bundle was refused")                                                   \
    X(SQ_R_PROMISE, 239, 0, "issuer does not spend what it holds for a bundle")                                        \
    X(SQ_R_NET_DEBIT_CAP, 240, 1, "owing region has reached its cap towards this one")                                 \
    X(SQ_R_REGION_STANDING, 241, 1, "one of the two regions takes no new business of this kind now")                   \
    X(SQ_R_NOT_PREFUNDED, 242, 1, "owing region's settlement account does not cover this")

typedef enum sq_status {
#define SQ_STATUS_ENUM(name, number, retry, text) name = number,
    SQ_STATUS_MAP(SQ_STATUS_ENUM)
#undef SQ_STATUS_ENUM
} sq_status;

/* English text of a status; "unknown status" for a number that was never given out. */
const char *sq_status_text(unsigned number);

/* The name as in this file, for logs and JSON: "SQ_R_BUSY". */
const char *sq_status_name(unsigned number);

/* May the same message or row, unchanged, be accepted later? */
int sq_status_retry(unsigned number);

/* What a person needs: where, with which values. Filled by sq_fail; `err` may be NULL everywhere. */
struct sq_error {
    sq_status status;
    char text[240];
};

/* Sets *err and returns `status`, so that `return sq_fail(err, SQ_E_X, "...", ...)` is the usual line. */
sq_status sq_fail(struct sq_error *err, sq_status status, const char *format, ...) SQ_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* it looks at one file at a time, and would think that a failure may return SQ_OK */
#define sq_fail(err, status, ...) ((void)sq_fail(err, status, __VA_ARGS__), (status))
#endif

/* Puts "context: " before what a lower layer said; returns err's status (or `status` when err is NULL). */
sq_status sq_fail_context(struct sq_error *err, sq_status status, const char *format, ...) SQ_PRINTF(3, 4);

/* Checks our own reasoning; stays on in release builds. */
#define SQ_ASSERT(fact) ((fact) ? (void)0 : sq_assert_failed(#fact, __FILE__, __LINE__))
_Noreturn void sq_assert_failed(const char *fact, const char *file, int line);

#endif
