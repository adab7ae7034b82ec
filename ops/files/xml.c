/*
 * Invariants: a parser stops at the first sign of a document type; no loader of external things is ever asked; what was written
 * parses again.
 */
#include "ops/files/xml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>
#include <libxml/xmlschemas.h>
#include <libxml/xmlwriter.h>

#define CSTR(text) ((const char *)(text))
#define XSTR       (const xmlChar *)

struct sq_xml {
    xmlDocPtr doc;
};

/* ---- reading ---- */

/* The first thing a document type does; nothing of it is looked at. */
static void refuse_type(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    xmlParserCtxtPtr parser = ctx;
    (void)name, (void)external, (void)system;
    parser->_private = parser; /* seen by sq_xml_parse */
    xmlStopParser(parser);
}

static void say_nothing(void *ctx, const char *format, ...)
{
    (void)ctx, (void)format;
}

static sq_status parse_failed(xmlParserCtxtPtr parser, const char *path, struct sq_error *err)
{
    const xmlError *e = xmlCtxtGetLastError(parser);
    char text[160] = "not well-formed";
    if (parser->_private != NULL)
        return sq_fail(err, SQ_E_FORMAT, "%.100s:%d: a document type (<!DOCTYPE ...>) does not go", path,
                       parser->input != NULL ? parser->input->line : 1);
    if (e != NULL && e->message != NULL)
        snprintf(text, sizeof text, "%.*s", (int)strcspn(e->message, "\n"), e->message);
    return sq_fail(err, SQ_E_FORMAT, "%.100s:%d: %s", path, e != NULL ? e->line : 1, text);
}

sq_status sq_xml_parse(sq_bytes bytes, const char *path, struct sq_xml **out, struct sq_error *err)
{
    if (bytes.size > SQ_XML_SIZE_MAX)
        return sq_fail(err, SQ_E_FORMAT, "%.100s: %zu bytes; at most %u go", path, bytes.size, SQ_XML_SIZE_MAX);
    struct sq_xml *x = calloc(1, sizeof *x);
    xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(CSTR(bytes.data), (int)bytes.size);
    if (x == NULL || parser == NULL) {
        free(x);
        return sq_fail(err, bytes.size == 0 ? SQ_E_FORMAT : SQ_E_NOMEM, "%.100s: %s", path,
                       bytes.size == 0 ? "an empty file" : "out of memory");
    }
    xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOWARNING | XML_PARSE_NOERROR | XML_PARSE_NOCDATA |
                                  XML_PARSE_BIG_LINES);
    parser->sax->internalSubset = refuse_type;
    parser->sax->externalSubset = refuse_type;
    xmlParseDocument(parser);
    sq_status st = parser->wellFormed && parser->myDoc != NULL && xmlDocGetRootElement(parser->myDoc) != NULL
                       ? SQ_OK
                       : parse_failed(parser, path, err);
    x->doc = parser->myDoc;
    xmlFreeParserCtxt(parser);
    if (st == SQ_OK)
        *out = x;
    else
        sq_xml_free(x);
    return st;
}

void sq_xml_free(struct sq_xml *x)
{
    if (x == NULL)
        return;
    xmlFreeDoc(x->doc);
    free(x);
}

sq_xml_node sq_xml_root(const struct sq_xml *x)
{
    return xmlDocGetRootElement(x->doc);
}
const char *sq_xml_namespace(sq_xml_node n)
{
    return n->ns != NULL && n->ns->href != NULL ? CSTR(n->ns->href) : "";
}
int sq_xml_is(sq_xml_node n, const char *name)
{
    return strcmp(CSTR(n->name), name) == 0;
}

static sq_xml_node from_here(sq_xml_node n, const char *name)
{
    while (n != NULL && (n->type != XML_ELEMENT_NODE || !sq_xml_is(n, name)))
        n = n->next;
    return n;
}

sq_xml_node sq_xml_child(sq_xml_node n, const char *name)
{
    return n == NULL ? NULL : from_here(n->children, name);
}
sq_xml_node sq_xml_next(sq_xml_node n, const char *name)
{
    return n == NULL ? NULL : from_here(n->next, name);
}

sq_xml_node sq_xml_path(sq_xml_node n, const char *path)
{
    char name[40];
    while (n != NULL && *path != '\0') {
        size_t size = strcspn(path, "/");
        snprintf(name, sizeof name, "%.*s", (int)size, path);
        n = sq_xml_child(n, name);
        path += size + (path[size] == '/');
    }
    return n;
}

/* libxml2's own strings are freed by its own function. */
static int take_text(xmlChar *text, char *out, size_t out_size)
{
    const char *from = text != NULL ? CSTR(text) : "";
    from += strspn(from, " \t\r\n");
    size_t size = strlen(from);
    while (size > 0 && strchr(" \t\r\n", from[size - 1]) != NULL)
        size--;
    int fits = size < out_size;
    snprintf(out, out_size, "%.*s", fits ? (int)size : 0, from);
    xmlFree(text);
    return fits;
}

int sq_xml_text(sq_xml_node n, char *out, size_t out_size)
{
    return take_text(n != NULL ? xmlNodeGetContent(n) : NULL, out, out_size);
}

int sq_xml_attribute(sq_xml_node n, const char *name, char *out, size_t out_size)
{
    return take_text(n != NULL ? xmlGetNoNsProp(n, XSTR name) : NULL, out, out_size);
}

unsigned sq_xml_line(sq_xml_node n)
{
    long line = n != NULL ? xmlGetLineNo(n) : 0;
    return line > 0 ? (unsigned)line : 0;
}

/* ---- writing ---- */

struct sq_xml_out {
    xmlBufferPtr buffer;
    xmlTextWriterPtr writer;
    int failed;
};

static void note(struct sq_xml_out *o, int result)
{
    o->failed |= result < 0;
}

sq_status sq_xml_begin(const char *name_space, struct sq_xml_out **out, struct sq_error *err)
{
    struct sq_xml_out *o = calloc(1, sizeof *o);
    if (o != NULL && (o->buffer = xmlBufferCreate()) != NULL)
        o->writer = xmlNewTextWriterMemory(o->buffer, 0);
    if (o == NULL || o->writer == NULL) {
        if (o != NULL)
            xmlBufferFree(o->buffer);
        free(o);
        return sq_fail(err, SQ_E_NOMEM, "XML document");
    }
    note(o, xmlTextWriterSetIndent(o->writer, 1));
    note(o, xmlTextWriterSetIndentString(o->writer, XSTR "  "));
    note(o, xmlTextWriterStartDocument(o->writer, NULL, "UTF-8", NULL));
    note(o, xmlTextWriterStartElement(o->writer, XSTR "Document"));
    note(o, xmlTextWriterWriteAttribute(o->writer, XSTR "xmlns", XSTR name_space));
    *out = o;
    return SQ_OK;
}

void sq_xml_open(struct sq_xml_out *o, const char *name)
{
    note(o, xmlTextWriterStartElement(o->writer, XSTR name));
}
void sq_xml_close(struct sq_xml_out *o)
{
    note(o, xmlTextWriterEndElement(o->writer));
}

void sq_xml_put(struct sq_xml_out *o, const char *name, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    o->failed |= size < 0 || (size_t)size >= sizeof text;
    note(o, xmlTextWriterWriteElement(o->writer, XSTR name, XSTR text));
}

void sq_xml_put_money(struct sq_xml_out *o, const char *name, int64_t fen)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64 ".%02d", fen / 100, (int)(fen % 100));
    sq_xml_open(o, name);
    note(o, xmlTextWriterWriteAttribute(o->writer, XSTR "Ccy", XSTR "CNY"));
    note(o, xmlTextWriterWriteString(o->writer, XSTR text));
    sq_xml_close(o);
}

sq_status sq_xml_end(struct sq_xml_out *o, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    sq_status st = SQ_OK;
    note(o, xmlTextWriterEndDocument(o->writer));
    note(o, xmlTextWriterFlush(o->writer));
    xmlFreeTextWriter(o->writer);
    size_t length = (size_t)xmlBufferLength(o->buffer);
    uint8_t *copy = o->failed ? NULL : malloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, xmlBufferContent(o->buffer), length);
        copy[length] = '\0';
        *bytes = copy;
        *size = length;
    } else {
        st = sq_fail(err, o->failed ? SQ_E_FORMAT : SQ_E_NOMEM, "XML document: a text is too long, or memory is out");
    }
    xmlBufferFree(o->buffer);
    free(o);
    return st;
}

/* ---- checking ---- */

static void keep_first(void *ctx, xmlErrorPtr e)
{
    struct sq_error *first = ctx;
    if (first->status != SQ_OK || e->message == NULL)
        return;
    first->status = SQ_E_FORMAT;
    snprintf(first->text, sizeof first->text, "line %d: %.*s", e->line, (int)strcspn(e->message, "\n"), e->message);
}

sq_status sq_xml_validate(sq_bytes bytes, const char *schema_path, struct sq_error *err)
{
    struct sq_error first = {0};
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(schema_path);
    if (parser != NULL)
        xmlSchemaSetParserErrors(parser, say_nothing, say_nothing, NULL);
    xmlSchemaPtr schema = parser != NULL ? xmlSchemaParse(parser) : NULL;
    xmlSchemaFreeParserCtxt(parser);
    if (schema == NULL)
        return sq_fail(err, SQ_E_IO, "%.120s is no XML schema that can be read", schema_path);
    xmlSchemaValidCtxtPtr checker = xmlSchemaNewValidCtxt(schema);
    struct sq_xml *x = NULL;
    sq_status st = checker != NULL ? sq_xml_parse(bytes, "document", &x, err) : sq_fail(err, SQ_E_NOMEM, "schema");
    if (st == SQ_OK) {
        xmlSchemaSetValidStructuredErrors(checker, keep_first, &first);
        int result = xmlSchemaValidateDoc(checker, x->doc);
        if (result != 0)
            st = sq_fail(err, SQ_E_FORMAT, "%.60s: %s", schema_path,
                         first.status != SQ_OK ? first.text : "does not hold");
    }
    sq_xml_free(x);
    xmlSchemaFreeValidCtxt(checker);
    xmlSchemaFree(schema);
    return st;
}
