/*
 * XML: the one door to libxml2. Reading what others bring, writing what they get, checking against a schema.
 *
 * A document that is read is at most SQ_XML_SIZE_MAX bytes, has no document type (so no entities of its own, nothing fetched, nothing
 * that grows), and is at most 256 elements deep. Nothing is ever loaded from the network.
 */
#ifndef SQ_XML_H
#define SQ_XML_H

#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/status.h"

#define SQ_XML_SIZE_MAX (16u << 20) /* a bank's day of a region: tens of thousands of entries */

/* ---- reading ---- */

struct sq_xml;                              /* opaque: a parsed document */
typedef const struct _xmlNode *sq_xml_node; /* an element; borrowed from its document; NULL: none */

/* Errors: SQ_E_FORMAT with path and line: not well-formed, a document type, too large; SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_xml_parse(sq_bytes bytes, const char *path, struct sq_xml **out, struct sq_error *err);
void sq_xml_free(struct sq_xml *x);

sq_xml_node sq_xml_root(const struct sq_xml *x);
const char *sq_xml_namespace(sq_xml_node n);               /* "" when it has none */
int sq_xml_is(sq_xml_node n, const char *name);            /* local name */
sq_xml_node sq_xml_child(sq_xml_node n, const char *name); /* the first; n may be NULL */
sq_xml_node sq_xml_next(sq_xml_node n, const char *name);  /* the next after n beside it */
sq_xml_node sq_xml_path(sq_xml_node n, const char *path);  /* "Refs/EndToEndId": first children */
/* Text without space around it, copied; "" for none. Returns 0 when it does not fit. */
int sq_xml_text(sq_xml_node n, char *out, size_t out_size);
int sq_xml_attribute(sq_xml_node n, const char *name, char *out, size_t out_size);
unsigned sq_xml_line(sq_xml_node n);

/* ---- writing ---- */

struct sq_xml_out; /* opaque: elements in order, indented, UTF-8 */

SQ_MUST_CHECK sq_status sq_xml_begin(const char *name_space, struct sq_xml_out **out,
                                     struct sq_error *err); /* <Document xmlns="..."> */
void sq_xml_open(struct sq_xml_out *o, const char *name);
void sq_xml_close(struct sq_xml_out *o);
void sq_xml_put(struct sq_xml_out *o, const char *name, const char *format, ...)
    SQ_PRINTF(3, 4); /* <name>text</name> */
/* An amount in yuan with its currency: <name Ccy="CNY">1234.56</name>; fen >= 0. */
void sq_xml_put_money(struct sq_xml_out *o, const char *name, int64_t fen);
/* Ends the document; *bytes is malloc'd. `o` is freed, also on errors, which every call before may have caused. */
SQ_MUST_CHECK sq_status sq_xml_end(struct sq_xml_out *o, uint8_t **bytes, size_t *size, struct sq_error *err);

/* ---- checking ---- */

/* Errors: SQ_E_FORMAT with the line and what the schema says; SQ_E_IO: no such schema, or it is none. */
SQ_MUST_CHECK sq_status sq_xml_validate(sq_bytes bytes, const char *schema_path, struct sq_error *err);

#endif
