"""sanquan programme try: what a programme file decides, without a node."""
import os
import subprocess
import tempfile

from network import SANQUAN, Result, check, done

PROGRAMMES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../ops/programmes")
HANGZHOU = os.path.join(PROGRAMMES, "330100-1-hangzhou-compute")


def run(*arguments, language="C.UTF-8"):
    return Result(subprocess.run([SANQUAN, "programme", "try", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env={"PATH": os.environ["PATH"], "LANG": language, "LANGUAGE": "zh_CN" if language != "C.UTF-8" else ""}))


with tempfile.TemporaryDirectory() as at:
    def write(name, text):
        with open(os.path.join(at, name), "w", encoding="utf-8") as f:
            f.write(text)
        return f.name

    # 30 % of 100万 on domestic chips; 20 % elsewhere, to the fen; list 1001; 800万 a year, of which 300,000.66 are used then.
    sample = (f"{HANGZHOU}.yaml", "--claims", f"{HANGZHOU}.claims.csv")
    r = run(*sample, "--json")
    claims = r.json["claims"]
    check("the sample's claims come out as worked by hand", r.code == 1 and [c["status"] for c in claims] ==
          ["SQ_OK", "SQ_R_RATE_EXCEEDED", "SQ_OK", "SQ_R_PROVIDER_LIST", "SQ_R_CAP_YEAR", "SQ_OK"], r)
    check("with what each is entitled to", [c["entitled_fen"] for c in claims] == [30000000, 20000000, 66, 2000000, 900000000, 900000000], claims)
    year = next(x for x in claims[4]["rules"] if x["rule"] == "SQ_R_CAP_YEAR")
    check("and what was left of the cap that refused", (year["limit"], year["used"], year["left"]) == (800000000, 30000066, 769999934) and
          claims[4]["payable_fen"] == 769999934, year)
    check("the sums are there", (r.json["accepted"], r.json["accepted_fen"], r.json["refused"]) == (3, 800000000, 3), r)
    r = run(*sample)
    check("people see the same as a table", r.code == 1 and "yearly cap of the holder" in r.out and "7,699,999.34" in r.out, r)
    r = run(*sample, language="zh_CN.UTF-8")
    check("in Chinese too", "持券方年度上限" in r.out and "7,699,999.34" in r.out, r)

    one = write("one.csv", "amount_yuan,base_yuan,service_day\n0.01,0.05,2025-03-01\n")
    terms = write("t.yaml", 'issuer: "310000"\nnumber: 1\nversion: 1\nkind: compute\ntitle: t\nfrom: 2025-01-01\nrate: 30%\nbase: paid\n')
    r = run(terms, "--claims", one, "--json")
    check("all accepted is exit code 0; the plainest claims need three columns", r.code == 0 and r.json["accepted_fen"] == 1, r)
    holders = write("holders.csv", "holder,face_yuan\n91330100TRY000009R,0.02\n")
    named = write("named.csv", "holder,amount_yuan,base_yuan,service_day\n91330100TRY000009R,0.02,1,2025-03-01\n91330100TRY000009R,0.01,1,2025-03-01\n")
    once = write("once.yaml", open(terms, encoding="utf-8").read() + "unique_contract: programme\n")
    twice = write("twice.csv", "holder,face_yuan,seller,contract\n91330100TRY000009R,1,91310199TXXXXX0015,HT-7\n91330100TRY000009R,1,91310199TXXXXX0015,HT-7\n")
    granted = [v["status"] for v in run(once, "--claims", one, "--holders", twice, "--json").json["grants"]]
    check("a contract that --holders names twice gets one voucher", granted == ["SQ_OK", "SQ_R_CONTRACT_TAKEN"], granted)
    r = run(terms, "--claims", named, "--holders", holders, "--json")
    check("a holder's voucher has the face that --holders says", [c["status"] for c in r.json["claims"]] == ["SQ_OK", "SQ_R_VOUCHER_OVERDRAWN"], r)

    staged = write("staged.yaml", open(terms, encoding="utf-8").read() + "stages: [{share: 50%}, {share: 50%, trigger: grade}]\nverdicts: [{grade: 1, action: release}]\nevaluators: 1003\n")
    half = write("half.csv", "holder,amount_yuan,base_yuan,service_day\n91330100TRY000009R,0.01,1,2025-03-01\n91330100TRY000009R,0.01,1,2025-03-01\n")
    r = run(staged, "--claims", half, "--holders", holders, "--json")
    check("only what the grant itself sets free can be claimed", [c["status"] for c in r.json["claims"]] == ["SQ_OK", "SQ_R_STAGE_NOT_FREE"], r)
    r = run(staged, "--claims", half, "--holders", holders, "--all-stages", "--json")
    check("and all of it as if every stage were free", [c["status"] for c in r.json["claims"]] == ["SQ_OK", "SQ_OK"], r)
    check("--help says what is not shown", "Not shown:" in run("--help").out and "credit notes" in run("--help").out)

    bad = write("bad.csv", "amount_yuan,base_yuan,service_day\n1,1,2025-02-30\nx,1,2025-03-01\n")
    r = run(terms, "--claims", bad)
    check("a bad line is told with line, field, value and reason", r.code == 2 and f'{bad}:2: service_day "2025-02-30": ' in r.err and
          f'{bad}:3: amount_yuan "x": ' in r.err and r.out == "", r)
    r = run(terms, "--claims", bad, "--json")
    check("and as JSON", r.code == 2 and [(p["line"], p["field"]) for p in r.json["problems"]] == [(2, "service_day"), (3, "amount_yuan")], r)
    r = run(terms)
    check("claims that are not there are wrong usage", r.code == 2 and "--claims" in r.err, r)
    r = run(write("wrong.yaml", "issuer: 1\n"), "--claims", one)
    check("a wrong programme file is exit code 2", r.code == 2, r)
done()
