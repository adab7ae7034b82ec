/* Files for banks: what is written holds by the published schemas, what is read is ours to the fen or refused by line and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/files/iso.h"

#define SCHEMAS "../shared/schemas/"

static const char hash[] = "ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12";
static const struct sq_iso_party parties[] = {
    {"310000", "上海市 & 财政局", "6222020001", "BKSHCNBJ"},
    {"370000", "山东省财政厅", "6222020002", NULL},
    {"hub", "结算账户", "9999", "CBXMCNBA001"},
};
static const struct sq_iso_payment payments[] = {
    {1, "310000", "hub", 123456, 0, 0},          {1, "hub", "370000", 123456, 0, 0},  {1, "370000", "hub", 7, 1, 0},
    {3, "440000", "310000", 100000000001, 0, 0}, {3, "fund:370000", "hub", 50, 1, 0},
};

static struct sq_iso_window window(void)
{
    return (struct sq_iso_window){.window = 7,
                                  .final_ms = 1790000000000u,
                                  .hash = hash,
                                  .payments = payments,
                                  .payment_count = 5,
                                  .parties = parties,
                                  .party_count = 3};
}

static void holds(const uint8_t *bytes, size_t size, const char *schema)
{
    struct sq_error err = {0};
    char path[80];
    snprintf(path, sizeof path, SCHEMAS "%s", schema);
    if (access(path, R_OK) != 0) {
        print_message("# skip: %s is not here\n", path);
        return;
    }
    if (sq_xml_validate(sq_bytes_of(bytes, size), path, &err) != SQ_OK)
        fail_msg("%s\n%s", err.text, (const char *)bytes);
}

/* ---- writing ---- */

static void the_settlement_request_holds_by_its_schema_and_its_positions_sum_to_zero(void **state)
{
    (void)state;
    struct sq_iso_window w = window();
    struct sq_error err = {0};
    uint8_t *bytes;
    size_t size;
    assert_int_equal(sq_iso_pacs029(&w, &bytes, &size, &err), SQ_OK);
    holds(bytes, size, "pacs.029.001.02.xsd");
    struct sq_xml *x;
    char text[40], direction[8];
    assert_int_equal(sq_xml_parse(sq_bytes_of(bytes, size), "made", &x, &err), SQ_OK);
    sq_xml_node body = sq_xml_child(sq_xml_root(x), "MulSttlmReq");
    unsigned requests = 0;
    for (sq_xml_node r = sq_xml_child(body, "SttlmReq"); r != NULL; r = sq_xml_next(r, "SttlmReq"), requests++) {
        long long sum = 0;
        for (sq_xml_node m = sq_xml_child(r, "MvmntRcrd"); m != NULL; m = sq_xml_next(m, "MvmntRcrd")) {
            long long yuan, fen;
            assert_true(sq_xml_text(sq_xml_path(m, "Amt/Amt"), text, sizeof text));
            assert_int_equal(sscanf(text, "%lld.%2lld", &yuan, &fen), 2);
            assert_true(sq_xml_text(sq_xml_path(m, "Amt/CdtDbt"), direction, sizeof direction));
            sum += (strcmp(direction, "CRDT") == 0 ? 1 : -1) * (yuan * 100 + fen);
        }
        assert_int_equal(sum, 0);
    }
    assert_int_equal(requests, 2);
    sq_xml_node first = sq_xml_path(body, "SttlmReq/MvmntRcrd");
    assert_true(sq_xml_text(sq_xml_path(first, "Ptcpt/Id/OrgId/AnyBIC"), text, sizeof text));
    assert_string_equal(text, "BKSHCNBJ");
    sq_xml_node second = sq_xml_next(first, "MvmntRcrd");
    assert_true(
        sq_xml_text(sq_xml_path(second, "Ptcpt/Id/OrgId/Othr/Id"), text, sizeof text)); /* no BIC: its own code */
    assert_string_equal(text, "370000");
    sq_xml_free(x);
    free(bytes);
}

static void transfers_of_one_payer_or_of_all_hold_by_their_schema(void **state)
{
    (void)state;
    struct sq_iso_window w = window();
    struct sq_error err = {0};
    uint8_t *bytes;
    size_t size;
    assert_int_equal(sq_iso_pacs009(&w, NULL, &bytes, &size, &err), SQ_OK);
    holds(bytes, size, "pacs.009.001.08.xsd");
    assert_non_null(strstr((const char *)bytes, "<NbOfTxs>5</NbOfTxs>"));
    assert_non_null(strstr((const char *)bytes, "SQ-7-3-F370000-H-L"));
    free(bytes);
    assert_int_equal(sq_iso_pacs009(&w, "370000", &bytes, &size, &err), SQ_OK);
    holds(bytes, size, "pacs.009.001.08.xsd");
    assert_non_null(strstr((const char *)bytes, "<NbOfTxs>1</NbOfTxs>"));
    free(bytes);
    assert_int_equal(sq_iso_pacs009(&w, "500000", &bytes, &size, &err), SQ_E_FORMAT);
}

static void a_settlement_without_payments_or_with_too_large_ones_makes_no_file(void **state)
{
    (void)state;
    struct sq_iso_window w = window();
    struct sq_error err = {0};
    uint8_t *bytes = NULL;
    size_t size;
    w.payment_count = 0;
    assert_int_equal(sq_iso_pacs029(&w, &bytes, &size, &err), SQ_E_FORMAT);
    const struct sq_iso_payment huge[] = {{1, "310000", "hub", INT64_MAX, 0, 0}};
    w.payments = huge;
    w.payment_count = 1;
    assert_int_equal(sq_iso_pacs029(&w, &bytes, &size, &err), SQ_E_OVERFLOW);
    assert_int_equal(sq_iso_pacs009(&w, NULL, &bytes, &size, &err), SQ_E_OVERFLOW);
    assert_null(bytes);
}

static void a_statement_holds_by_its_schema_and_closes_with_the_sum_of_its_entries(void **state)
{
    (void)state;
    const struct sq_iso_entry entries[] = {
        {"310000-12-0", "26312000000000000001", "REDEEM", "voucher 3100000001000000001", 30000, 20260921},
        {"310000-12-1", "26312000000000000001", "RETURN", NULL, -9000, 20260921},
        {"310000-14-0-C", "", "clawback", "voucher 3100000001000000001", -1000, 20260921},
    };
    const struct sq_iso_statement s[] = {
        {.id = "SQ-7-91310199TXXXXX0015",
         .account = "91310199TXXXXX0015",
         .owner = "provider",
         .opening_fen = -5,
         .from_day = 20260901,
         .to_day = 20260921,
         .entries = entries,
         .count = 3},
        {.id = "SQ-7-empty", .account = "x", .from_day = 20260901, .to_day = 20260921}};
    struct sq_error err = {0};
    uint8_t *bytes;
    size_t size;
    assert_int_equal(sq_iso_camt053("SQ-7", 1790000000000u, s, 2, &bytes, &size, &err), SQ_OK);
    holds(bytes, size, "camt.053.001.08.xsd");
    struct sq_xml *x;
    char text[40];
    assert_int_equal(sq_xml_parse(sq_bytes_of(bytes, size), "made", &x, &err), SQ_OK);
    sq_xml_node opening = sq_xml_path(sq_xml_root(x), "BkToCstmrStmt/Stmt/Bal"), closing = sq_xml_next(opening, "Bal");
    assert_true(sq_xml_text(sq_xml_child(closing, "Amt"), text, sizeof text));
    assert_string_equal(text, "199.95");
    assert_true(sq_xml_text(sq_xml_child(opening, "CdtDbtInd"), text, sizeof text));
    assert_string_equal(text, "DBIT");
    sq_xml_free(x);
    free(bytes);
}

static void each_payment_has_one_reference_and_one_spelling_of_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {"SQ-7-1-310000-H-M",  "SQ-07-1-310000-H",
                                        "SQ-7-1-31000-H",     "SQ-7-1-H",
                                        "SQ-7-9-310000-H",    "SQ-7-0-310000-H",
                                        "SQ-7-1-310000-h",    "",
                                        "SQ-7-1-310000-H-L-", "SQ-99999999999999999999-1-310000-H"};
    for (size_t i = 0; i < 5; i++) {
        char text[SQ_ISO_REFERENCE_SIZE];
        struct sq_iso_payment p;
        uint64_t number;
        sq_iso_reference(4294967295u, &payments[i], text);
        assert_true(sq_iso_reference_read(text, &number, &p));
        assert_int_equal(number, 4294967295u);
        assert_string_equal(p.payer, payments[i].payer);
        assert_string_equal(p.payee, payments[i].payee);
        assert_true(p.kind == payments[i].kind && p.loss == payments[i].loss);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sq_iso_payment p;
        uint64_t number;
        if (sq_iso_reference_read(wrong[i], &number, &p))
            fail_msg("'%s' was taken for a reference", wrong[i]);
    }
}

/* ---- reading ---- */

#define HEAD                                                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document "                                                           \
    "xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\">\n"                                                      \
    "<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>B1</MsgId><CreDtTm>2026-09-21T10:00:00</CreDtTm></GrpHdr>\n"                \
    "<Ntfctn><Id>N1</Id><Acct><Id><Othr><Id>6222020001</Id></Othr></Id></Acct>\n"
#define TAIL "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>\n"
#define ENTRY(amount, direction, status, inside)                                                                       \
    "<Ntry><Amt Ccy=\"CNY\">" amount "</Amt><CdtDbtInd>" direction "</CdtDbtInd><Sts><Cd>" status "</Cd></Sts>\n"      \
    "<BkTxCd><Prtry><Cd>X</Cd></Prtry></BkTxCd><NtryDtls>" inside "</NtryDtls></Ntry>\n"
#define TX(reference) "<TxDtls><Refs><EndToEndId>" reference "</EndToEndId></Refs></TxDtls>"
#define TX_OF(reference, amount)                                                                                       \
    "<TxDtls><Refs><EndToEndId>" reference "</EndToEndId></Refs><Amt Ccy=\"CNY\">" amount "</Amt></TxDtls>"

static sq_status told(const char *xml, struct sq_iso_told *t, struct sq_error *err)
{
    memset(err, 0, sizeof *err);
    memset(t, 0, sizeof *t);
    return sq_iso_camt054(sq_bytes_of((const uint8_t *)xml, strlen(xml)), "bank.xml", 7, "310000", t, err);
}

static void what_the_bank_has_moved_is_read_to_the_fen(void **state)
{
    (void)state;
    static const char xml[] = HEAD ENTRY("1234.56", "DBIT", "BOOK", TX("SQ-7-1-310000-H"))
        ENTRY("1000000000.01", "CRDT", "BOOK", TX("SQ-7-3-440000-310000")) ENTRY("5", "CRDT", "BOOK", TX("RENT-09"))
            ENTRY("9.00", "CRDT", "BOOK", TX("SQ-6-1-H-310000")) ENTRY("9.00", "CRDT", "PDNG", TX("SQ-7-2-H-310000"))
                ENTRY("30.5", "CRDT", "BOOK", TX_OF("SQ-7-4-H-310000", "10.5") TX_OF("SQ-7-5-H-310000", "20.00000"))
                    TAIL;
    struct sq_iso_told t;
    struct sq_error err;
    assert_int_equal(told(xml, &t, &err), SQ_OK);
    holds((const uint8_t *)xml, strlen(xml), "camt.054.001.08.xsd"); /* the test speaks as a bank does */
    assert_int_equal(t.count, 4);
    assert_int_equal(t.others, 2);
    assert_int_equal(t.pending, 1);
    const int64_t fen[] = {123456, 100000000001, 1050, 2000};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(t.payments[i].amount_fen, fen[i]);
    assert_string_equal(t.payments[1].payer, "440000");
    sq_iso_told_free(&t);
}

static void what_is_not_plain_is_refused_by_line_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *where;
    } cases[] = {
        {HEAD ENTRY("1.001", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) TAIL, "bank.xml:5: Amt \"1.001\""},
        {HEAD ENTRY("-1.00", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) TAIL, "Amt \"-1.00\""},
        {HEAD ENTRY("0.00", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) TAIL, "Amt \"0.00\""},
        {HEAD ENTRY("1e3", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) TAIL, "Amt \"1e3\""},
        {HEAD ENTRY("99999999999999999", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) TAIL, "Amt"},
        {HEAD ENTRY("1.00", "CRDT", "BOOK", TX("SQ-7-1-310000-H")) TAIL, "CdtDbtInd \"CRDT\": this node pays"},
        {HEAD ENTRY("1.00", "DBIT", "BOOK", TX("SQ-7-1-H-310000")) TAIL, "this node receives"},
        {HEAD ENTRY("1.00", "DBIT", "DONE", TX("SQ-7-1-310000-H")) TAIL, "Sts \"DONE\""},
        {HEAD ENTRY("1.00", "DBIT", "BOOK", TX("SQ-7-1-370000-H")) TAIL, "not a payment of this node"},
        {HEAD ENTRY("1.00", "DBIT", "BOOK", TX("SQ-7-01-310000-H")) TAIL, "not a reference of this system"},
        {HEAD ENTRY("1.00", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) ENTRY("2.00", "DBIT", "BOOK", TX("SQ-7-1-310000-H"))
             TAIL,
         "bank.xml:8: EndToEndId \"SQ-7-1-310000-H\": this payment stands in line 6"},
        {HEAD ENTRY("3.00", "DBIT", "BOOK", TX_OF("SQ-7-1-310000-H", "1.00") TX_OF("OTHER", "1.99")) TAIL,
         "Amt \"3.00\": the transactions of this entry do not add up to it"},
        {HEAD ENTRY("1.00", "DBIT", "BOOK", TX_OF("SQ-7-1-310000-H", "1.01")) TAIL, "do not add up"},
        {"<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt/></Document>",
         "not a camt.054"},
        {"<html><body/></html>", "not a camt.054"},
        {HEAD "<Ntry>", "bank.xml:"},
        {"", "an empty file"},
        {"not xml at all", "bank.xml:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sq_iso_told t;
        struct sq_error err;
        sq_status st = told(cases[i].xml, &t, &err);
        if (st != SQ_E_FORMAT || strstr(err.text, cases[i].where) == NULL)
            fail_msg("case %zu: %s (%s), wanted '%s'", i, err.text, sq_status_name(st), cases[i].where);
        assert_int_equal(t.count, 0);
    }
    struct sq_iso_told t;
    struct sq_error err;
    static const char dollars[] =
        HEAD "<Ntry><Amt Ccy=\"USD\">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls>" TX(
            "SQ-7-1-310000-H") "</NtryDtls></Ntry>" TAIL;
    assert_int_equal(told(dollars, &t, &err), SQ_E_FORMAT);
    assert_non_null(strstr(err.text, "Amt/@Ccy \"USD\""));
    static const char back[] = HEAD
        "<Ntry><Amt "
        "Ccy=\"CNY\">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><RvslInd>true</RvslInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls>" TX(
            "SQ-7-1-310000-H") "</NtryDtls></Ntry>" TAIL;
    assert_int_equal(told(back, &t, &err), SQ_E_FORMAT);
    assert_non_null(strstr(err.text, "RvslInd"));
}

static void a_hostile_document_is_refused_before_it_can_grow_or_fetch(void **state)
{
    (void)state;
    static const char secret[] =
        "<?xml version=\"1.0\"?>\n<!DOCTYPE d [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\n<Document>&f;</Document>";
    static const char laughs[] =
        "<!DOCTYPE l [<!ENTITY a \"xxxxxxxxxx\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
        "\"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>\n<l>&c;</l>";
    static const char fetched[] = "<!DOCTYPE d SYSTEM \"http://192.0.2.1/x.dtd\"><d/>";
    static const char *const all[] = {secret, laughs, fetched};
    struct sq_error err = {0};
    struct sq_xml *x = NULL;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sq_xml_parse(sq_bytes_of((const uint8_t *)all[i], strlen(all[i])), "evil.xml", &x, &err),
                         SQ_E_FORMAT);
        assert_non_null(strstr(err.text, "document type"));
    }
    size_t size = SQ_XML_SIZE_MAX + 1;
    uint8_t *large = malloc(size);
    assert_non_null(large);
    memset(large, ' ', size);
    assert_int_equal(sq_xml_parse(sq_bytes_of(large, size), "evil.xml", &x, &err), SQ_E_FORMAT);
    assert_non_null(strstr(err.text, "at most"));
    size = 0;
    for (int i = 0; i < 300; i++, size += 3)
        memcpy(large + size, "<a>", 3);
    for (int i = 0; i < 300; i++, size += 4)
        memcpy(large + size, "</a>", 4);
    assert_int_equal(sq_xml_parse(sq_bytes_of(large, size), "evil.xml", &x, &err), SQ_E_FORMAT); /* deeper than 256 */
    free(large);
    assert_null(x);
}

/* A notification cut anywhere, or with any byte changed, is read as what it then says or refused; never more. */
static void damage_anywhere_makes_a_refusal_or_another_plain_file(void **state)
{
    (void)state;
    char xml[] = HEAD ENTRY("1234.56", "DBIT", "BOOK", TX("SQ-7-1-310000-H")) TAIL;
    struct sq_iso_told t;
    struct sq_error err;
    size_t size = strlen(xml), refused = 0;
    for (size_t i = 0; i < size; i++) {
        sq_status st = sq_iso_camt054(sq_bytes_of((const uint8_t *)xml, i), "bank.xml", 7, "310000", &t, &err);
        assert_int_equal(st, i < size - 1 ? SQ_E_FORMAT : SQ_OK); /* the last byte is a line end */
        if (st == SQ_OK)
            sq_iso_told_free(&t);
        char was = xml[i];
        xml[i] ^= 1;
        if (told(xml, &t, &err) == SQ_OK) {
            assert_true(t.count <= 1);
            sq_iso_told_free(&t);
        } else {
            refused++;
        }
        xml[i] = was;
    }
    assert_true(refused > size / 2);
}

static void accounts_and_bics_are_told_from_what_is_none(void **state)
{
    (void)state;
    assert_true(sq_iso_bic_ok("BKSHCNBJ") && sq_iso_bic_ok("BKSHCNBJ001"));
    assert_false(sq_iso_bic_ok("BKSHCNB") || sq_iso_bic_ok("bkshcnbj") || sq_iso_bic_ok("BKSH12BJ") ||
                 sq_iso_bic_ok(""));
    assert_true(sq_iso_account_ok("6222020001") && sq_iso_account_ok("A-1"));
    assert_false(sq_iso_account_ok("") || sq_iso_account_ok("12 34") ||
                 sq_iso_account_ok("12345678901234567890123456789012345"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_settlement_request_holds_by_its_schema_and_its_positions_sum_to_zero),
        cmocka_unit_test(transfers_of_one_payer_or_of_all_hold_by_their_schema),
        cmocka_unit_test(a_settlement_without_payments_or_with_too_large_ones_makes_no_file),
        cmocka_unit_test(a_statement_holds_by_its_schema_and_closes_with_the_sum_of_its_entries),
        cmocka_unit_test(each_payment_has_one_reference_and_one_spelling_of_it),
        cmocka_unit_test(what_the_bank_has_moved_is_read_to_the_fen),
        cmocka_unit_test(what_is_not_plain_is_refused_by_line_and_reason),
        cmocka_unit_test(a_hostile_document_is_refused_before_it_can_grow_or_fetch),
        cmocka_unit_test(damage_anywhere_makes_a_refusal_or_another_plain_file),
        cmocka_unit_test(accounts_and_bics_are_told_from_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
