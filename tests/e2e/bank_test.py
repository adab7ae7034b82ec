"""From a settled window through a bank and back: export, the bank's notification, confirmation to the fen; payouts and budgets that tie."""
import csv
import io
import os
import time
import xml.etree.ElementTree as ET

from network import PATIENCE_S, Network, check, done, uscc

SH, SD, GD = "310000", "370000", "440000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "schemas")
PACS = "{urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08}"
invoices = 0


def knows(net, node, issuer):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if any(p["issuer"] == int(issuer) for p in net.must("programme", "list", "--json", node=node, key=net.operator(node)).json["programmes"]):
            return


def trade(net, debtor, creditor, yuan):
    """Redemptions of a new voucher of the debtor's at a new provider of the creditor's, one of them returned in part; (provider, fen)."""
    global invoices
    invoices += 10
    holder, provider = uscc(11, invoices), uscc(12, invoices)
    net.enrol("holder", holder, debtor)
    key = net.enrol("provider", provider, creditor)
    knows(net, creditor, debtor)
    voucher = net.grant(debtor, 1, holder, 1000, debtor)
    net.mandate(holder, provider, voucher, 1000, debtor)
    rows = "".join(f"{voucher},{y},1000,2631200000{invoices + n:010d},1000,7,2026-09-01\n" for n, y in enumerate(yuan))
    net.must("submit", net.write(f"rows{invoices}.csv", f"{HEADER}\n{rows}"), node=creditor, key=key)
    return provider, round(sum(yuan) * 100)


class Bank:
    """Books the transfers of pacs.009 files and tells one account's owner by camt.054."""

    def __init__(self, transfers):
        root = ET.fromstring(transfers)
        self.transfers = []
        for t in root.iter(PACS + "CdtTrfTxInf"):
            def one(path):
                return t.find("/".join(PACS + p for p in path.split("/"))).text
            self.transfers.append((one("PmtId/EndToEndId"), one("IntrBkSttlmAmt")))

    def notify(self, code, off=0):
        """What concerns the node; the last amount `off` fen wrong."""
        entries = []
        mine = [(r, a) for r, a in self.transfers if code in r.split("-")]
        for i, (reference, amount) in enumerate(mine):
            fen = round(float(amount) * 100) + (off if i == len(mine) - 1 else 0)
            direction = "DBIT" if reference.split("-")[3] == code else "CRDT"
            entries.append(f'<Ntry><Amt Ccy="CNY">{fen // 100}.{fen % 100:02d}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\n'
                           f"<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>\n")
        return ('<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn>\n'
                "<GrpHdr><MsgId>B</MsgId><CreDtTm>2026-09-21T10:00:00</CreDtTm></GrpHdr>\n<Ntfctn><Id>N</Id><Acct><Id><Othr><Id>1</Id></Othr></Id></Acct>\n"
                '<Ntry><Amt Ccy="CNY">12.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/></Ntry>\n' + "".join(entries) +
                "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>\n")


with Network((SH, SD, GD)) as net:
    net.start_all()
    for code in (SH, SD, GD):
        net.programme(code, 1, code)
    sold = [(SD,) + trade(net, SH, SD, [100, 2.5]), (GD,) + trade(net, SD, GD, [80]), (SH,) + trade(net, GD, SH, [70]), (SD,) + trade(net, SD, SD, [11])]
    sd = {"node": SD, "key": net.operator(SD)}
    check_sd = {"node": SD, "key": net.operator(SD, "checker")}
    accounts = net.write("banks.csv", "code,name,account,bic\n310000,上海市财政局,62220001,BKSHCNBJ\n370000,山东省财政厅,62220002,\nhub,结算账户,9999,\n")

    r = net.run("settle", "export", **sd)
    check("a window that is not final is not exported", r.code == 1 and "not final" in r.err, r)
    net.must("window", "cut", "--wait", **sd)
    request = net.must("settle", "export", "1", "--accounts", accounts, **sd).out
    check("the settlement request names those without a BIC by their code", "<AnyBIC>BKSHCNBJ</AnyBIC>" in request and "<Prtry>GB/T 2260</Prtry>" in request, request)
    check("the same window gives the same bytes", net.must("settle", "export", "1", "--accounts", accounts, **sd).out == request)
    for format, schema in (("pacs.029", "pacs.029.001.02.xsd"), ("pacs.009", "pacs.009.001.08.xsd")):
        path = os.path.join(SCHEMAS, schema)
        if not os.path.exists(path):
            print(f"# skip: {schema} is not here")
            continue
        r = net.run("settle", "export", "1", "--accounts", accounts, "--format", format, "--schema", path, "--out", net.path("x.xml"), **sd)
        check(f"{format} holds by the published schema", r.code == 0 and os.path.getsize(net.path("x.xml")) > 500, r)
    bad = net.write("bad.csv", "code,name,account,bic\n31000,x,1,\n370000,,1 2,bksh\n")
    r = net.run("settle", "export", "1", "--accounts", bad, "--out", net.path("never.xml"), **sd)
    check("a wrong file of accounts is told by line and field, and nothing is written",
          r.code == 2 and f'{bad}:2: code "31000"' in r.err and f'{bad}:3: bic "bksh"' in r.err and not os.path.exists(net.path("never.xml")), r)

    # ---- the bank, and back ----
    bank = Bank(net.must("settle", "export", "1", "--format", "pacs.009", **sd).out)
    evil = net.write("evil.xml", '<?xml version="1.0"?>\n<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]>\n<Document>&f;</Document>\n')
    r = net.run("confirm", "1", "--role", "maker", "--payments", evil, "--yes", **sd)
    check("a hostile notification is refused by line and reason", r.code == 2 and "evil.xml:2" in r.err and "document type" in r.err, r)
    usd = net.write("usd.xml", bank.notify(SD).replace("CNY", "USD"))
    r = net.run("confirm", "1", "--role", "maker", "--payments", usd, "--yes", **sd)
    check("another currency too", r.code == 2 and 'Amt/@Ccy "USD"' in r.err, r)
    other = net.write("other.xml", bank.notify(SD).replace("SQ-1-", "SQ-9-"))
    r = net.run("confirm", "1", "--role", "maker", "--payments", other, "--yes", **sd)
    check("a notification of another window confirms nothing", r.code == 2 and "no booked payment" in r.err, r)
    busy = net.write("busy.xml", bank.notify(SD).replace("SQ-1-", "SQ-9-") + " " * (5 << 20))
    r = net.run("confirm", "1", "--role", "maker", "--payments", busy, "--yes", **sd)
    check("a notification of a busy account, of more than 4 MiB, is read", r.code == 2 and "no booked payment" in r.err, r)
    endless = net.write("endless.xml", "<Document>" + " " * (17 << 20))
    r = net.run("confirm", "1", "--role", "maker", "--payments", endless, "--yes", **sd)
    check("one of more than 16 MiB is refused unread", r.code == 5 and "larger than 16 MiB" in r.err, r)
    check("and none of them has changed anything", net.must("window", "1", "--json", **sd).json["state"] == "final")
    off = net.write("off.xml", bank.notify(SD, off=-1))
    r = net.run("confirm", "1", "--role", "maker", "--payments", off, "--yes", **sd)
    check("a fen too little is told, with both amounts", r.code == 1 and "confirmed payments differ" in r.err, r)
    check("and puts the window into break", net.must("window", "1", "--json", **sd).json["state"] == "break")
    good = net.write("good.xml", bank.notify(SD))
    net.must("confirm", "1", "--role", "maker", "--payments", good, "--yes", **sd)
    r = net.run("confirm", "1", "--role", "checker", "--payments", good, "--yes", **sd)
    check("the maker cannot be the checker", r.code == 1, r)
    net.must("confirm", "1", "--role", "checker", "--payments", good, "--yes", **check_sd)
    check("what the bank has moved to the fen is settled", net.must("window", "1", "--json", **sd).json["state"] == "settled")
    table = net.path("table.csv")
    net.must("settle", "export", "1", "--format", "csv", "--of", SH, "--out", table, node=SH, key=net.operator(SH))
    for who in ("maker", "checker"):
        net.must("confirm", "1", "--role", who, "--payments", table, "--yes", node=SH, key=net.operator(SH, who))
    check("the table confirms as well", net.must("window", "1", "--json", node=SH, key=net.operator(SH)).json["state"] == "settled")

    # ---- payouts and budgets ----
    for code in (SH, SD, GD):
        net.stop(code)
    paid = {}
    for code in (SH, SD, GD):
        r = net.must("payout", "1", "--ledger", net.path(code), "--out", net.path("payout.csv"), "--json")
        for p in r.json["providers"]:
            paid[code, p["provider"]] = p["amount_fen"]
        rows = list(csv.DictReader(io.StringIO(net.read("payout.csv"))))
        check(f"payouts of {code} are the sums of its redemptions one by one", all(
            sum(int(x["amount_fen"]) for x in rows if x["provider"] == p["provider"]) == p["amount_fen"] for p in r.json["providers"]), r)
    check("each provider gets what it sold", paid == {(code, provider): fen for code, provider, fen in sold}, (paid, sold))
    r = net.must("budget", f"{SD}/1", "1", "--ledger", net.path(SD), "--out", net.path("budget.csv"), "--json").json
    check("a budget falls by what it paid for, abroad and at home", r["opening_fen"] - r["closing_fen"] == 8000 + 1100, r)
    for command, where in ((("payout", "1"), "payout.xml"), (("budget", f"{SD}/1", "1"), "budget.xml")):
        r = net.run(*command, "--ledger", net.path(SD), "--format", "camt.053", "--out", net.path(where))
        check(f"{command[0]} is written as a bank's statement", r.code == 0 and "<Cd>CLBD</Cd>" in net.read(where), r)
    r = net.run("payout", "2", "--ledger", net.path(SD))
    check("a window that is open pays nobody", r.code == 1 and "not final" in r.err, r)
    r = net.run("budget", "110000/1", "1", "--ledger", net.path(SD))
    check("a programme of another region is not at home here", r.code != 0 and "110000/1" in r.err, r)
done()
