"""Every layout that quote files come in: made here as its vendor writes it, recognised, and read to the same quotes."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.quotefile import Options, QuoteFiles
from cli.quotefile.layouts import BY_NAME
from cli.quotefile.plans import plan_of
from cli.quotefile.sources import Source
from config.errors import Problem
from tests.cli.quotefiles import FIRST, a_file, own, quotes, refusal

TICKS = [("02T09:00:00.250", "EURUSD", "1.08340", "1.08350"), ("02T09:00:01", "EURUSD", "1.08341", "1.08352")]
BAR = ("1.08340", "1.08390", "1.08300", "1.08360")  # it rises
FELL = ("1.08360", "1.08370", "1.08320", "1.08330")
NINE = FIRST + 9 * 3_600_000  # 2 March 2026, 09:00 UTC
MT5_TICKS = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n"
MT5_BARS = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n"
KLINES = "open_time,open,high,low,close,volume,close_time,quote_volume,count,buy_volume,buy_quote_volume,ignore\n"

# layout, the file's name, its content
TICK_FILES = [
    ("own", "own.csv", own("32400250,EURUSD,1.08340,1.08350", "32401000,EURUSD,1.08341,1.08352")),
    (
        "histdata-ticks",
        "DAT_ASCII_EURUSD_T_202603.csv",
        "20260302 040000250,1.08340,1.08350,0\n20260302 040001000,1.08341,1.08352,0\n",
    ),
    (
        "dukascopy",
        "EURUSD_Ticks_02.03.2026-02.03.2026.csv",
        (
            "Gmt time,Ask,Bid,AskVolume,BidVolume\n"
            "02.03.2026 09:00:00.250,1.08350,1.08340,1,2.25\n02.03.2026 09:00:01.000,1.08352,1.08341,1,2\n"
        ),
    ),
    (
        "dukascopy",
        "EURUSD_Ticks_02.03.2026-02.03.2026.csv",
        (
            "Local time,Ask,Bid,AskVolume,BidVolume\n02.03.2026 10:00:00.250 GMT+0100,1.08350,1.08340,1,2.25\n"
            "02.03.2026 10:00:01.000 GMT+0100,1.08352,1.08341,1,2\n"
        ),
    ),
    (
        "dukascopy-node",
        "eurusd-tick-2026-03-02-2026-03-03.csv",
        (
            f"timestamp,askPrice,bidPrice,askVolume,bidVolume\n{NINE + 250},1.08350,1.08340,1,2\n"
            f"{NINE + 1000},1.08352,1.08341,1,2\n"
        ),
    ),
    (
        "duka",
        "EURUSD-2026_03_02-2026_03_02.csv",
        (
            "time,ask,bid,ask_volume,bid_volume\n2026-03-02 09:00:00.250000,1.08350,1.08340,1,2\n"
            "2026-03-02 09:00:01,1.08352,1.08341,1,2\n"
        ),
    ),
    (
        "mt5-ticks",
        "EURUSD_202603020000_202603022359.csv",
        MT5_TICKS + "2026.03.02\t09:00:00.250\t1.08340\t1.08350\t\t\t6\r\n"
        "2026.03.02\t09:00:01.000\t1.08341\t1.08352\t\t\t6\r\n",
    ),
    (
        "mt4-ticks",
        "EURUSD.csv",
        "2026.03.02,09:00:00.250,1.08340,1.08350,1\n2026.03.02,09:00:01.000,1.08341,1.08352,1\n",
    ),
    (
        "truefx",
        "EURUSD-2026-03.csv",
        "EUR/USD,20260302 09:00:00.250,1.08340,1.08350\nEUR/USD,20260302 09:00:01.000,1.08341,1.08352\n",
    ),
    (
        "binance-bookticker",
        "EURUSD-bookTicker-2026-03-02.csv",
        (
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
            f"1,1.08340,3,1.08350,4,{NINE + 250},{NINE + 251}\n2,1.08341,3,1.08352,4,{NINE + 1000},{NINE + 1001}\n"
        ),
    ),
    (
        "binance-bookticker",
        "EURUSD-bookTicker-2026-03-02.csv",
        f"1,1.08340,3,1.08350,4,{NINE + 250},{NINE + 251}\n2,1.08341,3,1.08352,4,{NINE + 1000},{NINE + 1001}\n",
    ),
    (
        "tardis",
        "fx_quotes_2026-03-02_EURUSD.csv",
        (
            "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
            f"fx,EURUSD,{NINE}000000,{NINE + 250}000,1,1.08350,1.08340,2\n"
            f"fx,EURUSD,{NINE}000000,{NINE + 300}000,,,1.08340,2\n"
            f"fx,EURUSD,{NINE}000000,{NINE + 1000}000,1,1.08352,1.08341,2\n"
        ),
    ),
    (
        "lean-ticks",
        "20260302_eurusd_tick_quote.csv",
        "32400250,1.08340,0,1.08350,0\n32401000,1.08341,0,1.08352,0\n",
    ),
    ("ticks", "EURUSD.csv", f"{NINE + 250},1.08340,1.08350\n{NINE + 1000},1.08341,1.08352\n"),
    (
        "ticks",
        "EURUSD quotes.csv",
        (
            "Offer;Bid;Last;Date (UTC)\n1,08350;1,08340;1,1;2026/03/02 09:00:00.250\n"
            "1,08352;1,08341;1,1;2026/03/02 09:00:01\n"
        ),
    ),
]
BAR_FILES = [
    (
        "histdata-m1",
        "DAT_ASCII_EURUSD_M1_202603.csv",
        "20260302 040000;{};{};{};{};0\n20260302 040100;{};{};{};{};0\n",
    ),
    ("histdata-mt", "DAT_MT_EURUSD_M1_202603.csv", "2026.03.02,04:00,{},{},{},{},0\n2026.03.02,04:01,{},{},{},{},0\n"),
    ("mt4-bars", "EURUSD1.csv", "2026.03.02,09:00,{},{},{},{},12\n2026.03.02,09:01,{},{},{},{},12\n"),
    (
        "mt5-bars",
        "EURUSD_M1.csv",
        MT5_BARS
        + "2026.03.02\t09:00:00\t{}\t{}\t{}\t{}\t12\t0\t0\r\n2026.03.02\t09:01:00\t{}\t{}\t{}\t{}\t1\t0\t0\r\n",
    ),
    (
        "dukascopy",
        "EURUSD_Candlestick_1_M_BID_02.03.2026-02.03.2026.csv",
        (
            "Gmt time,Open,High,Low,Close,Volume\n02.03.2026 09:00:00.000,{},{},{},{},1\n"
            "02.03.2026 09:01:00.000,{},{},{},{},1\n"
        ),
    ),
    (
        "dukascopy-node",
        "eurusd-m1-bid-2026-03-02-2026-03-03.csv",
        f"timestamp,open,high,low,close,volume\n{NINE},{{}},{{}},{{}},{{}},1\n{NINE + 60_000},{{}},{{}},{{}},{{}},1\n",
    ),
    (
        "tradingview",
        "OANDA_EURUSD, 1.csv",
        (
            f"time,open,high,low,close,Volume\n{NINE // 1000},{{}},{{}},{{}},{{}},1\n"
            f"{NINE // 1000 + 60},{{}},{{}},{{}},{{}},1\n"
        ),
    ),
    (
        "tradingview",
        "FX_EURUSD, 1_1a2b3.csv",
        "time,open,high,low,close\n2026-03-02T10:00:00+01:00,{},{},{},{}\n2026-03-02T10:01:00+01:00,{},{},{},{}\n",
    ),
    (
        "bars",
        "EURUSD.csv",
        "Close,Low,High,Open,When,Date\n".replace("When,", "")
        + "{3},{2},{1},{0},2026-03-02 09:00\n{7},{6},{5},{4},2026-03-02 09:01\n",
    ),
]


@pytest.mark.parametrize(
    ("layout", "name", "content"), TICK_FILES, ids=[f"{c[0]}-{n}" for n, c in enumerate(TICK_FILES)]
)
def test_ticks_of_every_layout_are_the_same_quotes(tmp_path: Path, layout: str, name: str, content: str) -> None:
    path = a_file(tmp_path, content, name)
    assert quotes(path) == TICKS
    assert plan_of(Source(path), Options()).layout.name == layout
    assert quotes(path, Options(layout=layout)) == TICKS, "also where it is named"


@pytest.mark.parametrize(("layout", "name", "content"), BAR_FILES, ids=[f"{c[0]}-{n}" for n, c in enumerate(BAR_FILES)])
def test_a_bar_of_every_layout_becomes_four_quotes_in_their_order(
    tmp_path: Path, layout: str, name: str, content: str
) -> None:
    path = a_file(tmp_path, content.format(*BAR, *FELL), name)
    opened, high, low, closed = BAR
    fell_from, fell_high, fell_low, fell_to = FELL
    assert [(time[3:], bid, ask) for time, _, bid, ask in quotes(path)] == [
        ("09:00:00", opened, opened),
        ("09:00:20", low, low),
        ("09:00:40", high, high),
        ("09:00:59.999", closed, closed),
        ("09:01:00", fell_from, fell_from),
        ("09:01:20", fell_high, fell_high),
        ("09:01:40", fell_low, fell_low),
        ("09:01:59.999", fell_to, fell_to),
    ]
    plan = plan_of(Source(path), Options())
    assert (plan.layout.name, plan.period) == (layout, timedelta(minutes=1))
    assert {symbol for _, symbol, _, _ in quotes(path)} == {"EURUSD"}


@pytest.mark.parametrize("header", [KLINES, ""])
@pytest.mark.parametrize("scale", [1, 1000], ids=["milliseconds", "microseconds"])
def test_klines_close_when_they_say(tmp_path: Path, header: str, scale: int) -> None:
    rows = f"{NINE * scale},{','.join(BAR)},1,{(NINE + 60_000) * scale - 1},1,1,1,1,0\n"
    read = quotes(a_file(tmp_path, header + rows, "BTCUSDT-1m-2026-03-02.csv"))
    assert [time for time, *_ in read][:3] == ["02T09:00:00", "02T09:00:20", "02T09:00:40"]
    assert read[3][0].startswith("02T09:00:59.999")
    assert {symbol for _, symbol, _, _ in read} == {"BTCUSDT"}


def test_bars_with_both_sides_keep_them(tmp_path: Path) -> None:
    rows = "32400000,1.1,1.4,1.0,1.3,0,1.2,1.5,1.1,1.4,0\n32460000,,,,,,,,,,\n"
    path = a_file(tmp_path, rows, "20260302_eurusd_minute_quote.csv")
    assert [(bid, ask) for _, _, bid, ask in quotes(path)] == [
        ("1.1", "1.2"), ("1.0", "1.1"), ("1.4", "1.5"), ("1.3", "1.4"),
    ]  # fmt: skip
    (table,) = QuoteFiles([path]).tables
    assert (table.plan.layout.name, table.rows, table.skipped) == ("lean", 2, 1)


def test_the_spread_is_the_callers_or_the_columns_in_points(tmp_path: Path) -> None:
    bars = a_file(tmp_path, f"{NINE},1.1000,1.1000,1.1000,1.1000,0,0\n", "EURUSD_M1.csv")
    assert {(bid, ask) for _, _, bid, ask in quotes(bars, Options(spread=Decimal("0.0002")))} == {("1.1000", "1.1002")}
    points = a_file(tmp_path, MT5_BARS + "2026.03.02\t09:00:00\t1.10000\t1.1\t1.1\t1.1\t12\t0\t8\r\n", "EURUSD_M5.csv")
    assert {ask for _, _, _, ask in quotes(points)} == {"1.10008"}
    assert {ask for _, _, _, ask in quotes(points, Options(spread=Decimal(1)))} == {"1.10008"}, "its own comes first"
    bars = a_file(tmp_path, "Gmt time,Open,High,Low,Close\n02.03.2026 09:00,2,2,2,2\n", "EURUSD_1_Min_ASK.csv")
    assert {(bid, ask) for _, _, bid, ask in quotes(bars, Options(spread=Decimal("0.5")))} == {("1.5", "2")}
    ticks = a_file(tmp_path, f"time,price\n{NINE},2\n", "EURUSD.csv")
    assert quotes(ticks, Options(spread=Decimal("0.5")))[0][2:] == ("2", "2.5")


def test_a_negative_spread_is_a_bad_row(tmp_path: Path) -> None:
    row = "2026.03.02\t09:00:00\t1.10000\t1.1\t1.1\t1.1\t12\t0\t-8\r\n"
    assert "line 2: the spread is not a number of 0 or more: '-8'" in refusal(
        a_file(tmp_path, MT5_BARS + row, "EURUSD.csv")
    )


def test_where_metatrader_leaves_a_price_out_it_is_the_one_before(tmp_path: Path) -> None:
    rows = "".join(
        f"2026.03.02\t09:00:0{second}.000\t{prices}\t\t\t6\r\n"
        for second, prices in enumerate(["1.1\t", "\t1.2", "1.15\t", "\t1.25"])
    )
    path = a_file(tmp_path, MT5_TICKS + rows, "EURUSD.csv")
    assert [row[2:] for row in quotes(path)] == [("1.1", "1.2"), ("1.15", "1.2"), ("1.15", "1.25")]
    assert QuoteFiles([path]).tables[0].skipped == 1, "the first, which has no ask yet"


def test_overlapping_bars_are_handed_in_by_time(tmp_path: Path) -> None:
    rows = "".join(f"20260302 0400{second:02};1;1;1;1;0\n" for second in (0, 0, 30))
    times = [time for time, *_ in quotes(a_file(tmp_path, rows, "DAT_ASCII_EURUSD_M1_202603.csv"))]
    assert times == sorted(times)
    assert len(times) == 12


def test_the_symbol_is_the_files_the_callers_or_missing(tmp_path: Path) -> None:
    rows = f"{NINE},1.1,1.2\n"
    assert "names no symbol; say --symbol" in refusal(a_file(tmp_path, rows, "quotes_2026-03.csv"))
    assert quotes(tmp_path / "quotes_2026-03.csv", Options(symbol="XAUUSD"))[0][1] == "XAUUSD"
    broker = a_file(tmp_path, rows, "US30.cash_M5.csv")
    assert quotes(broker)[0][1] == "US30.cash"
    assert quotes(broker, Options(listed=frozenset({"US30.CASH"})))[0][1] == "US30.CASH"
    several = a_file(tmp_path, own("1,eur_usd,1.1,1.2", "2,EURUSDm,1.1,1.2"))
    assert [row[1] for row in quotes(several, Options(symbol="GBPUSD"))] == ["EURUSD", "EURUSDm"]


def test_what_was_understood_is_said(tmp_path: Path) -> None:
    rows = "".join(f"20260302 0400{second:02};1;1;1;1;0\n" for second in (0, 30))
    (table,) = QuoteFiles([a_file(tmp_path, rows, "DAT_ASCII_EURUSD_M1_202603.csv")]).tables
    text = table.text()
    for part in (
        "histdata-m1, bars of 1 minute, 2 rows",
        "symbol EURUSD (its name)",
        "spread: ask is the price plus 0 (assumed; --spread says another)",
        "zone EST (as histdata-m1 has it)",
        "from 2026-03-02 09:00:00.000000 to 2026-03-02 09:01:29.999000 UTC",
        "each bar becomes four quotes: its open at its start, then low and high",
    ):
        assert part in text


def test_a_bar_that_is_no_number_is_a_bad_row(tmp_path: Path) -> None:
    path = a_file(tmp_path, "20260302 040000;1;nan;1;1;0\n", "DAT_ASCII_EURUSD_M1_202603.csv")
    assert "line 1: a bar has a price that is not finite" in refusal(path)


def test_what_investing_com_calls_price_is_the_close(tmp_path: Path) -> None:
    rows = '"Date","Price","Open","High","Low","Vol."\n"03/13/2026","2,415.00","2,410.10","2,420.00","2,400.00",""\n'
    read = quotes(a_file(tmp_path, rows, "XAUUSD Historical Data.csv"))
    assert [(time, bid) for time, _, bid, _ in read] == [
        ("13T00:00:00", "2410.10"),
        ("13T08:00:00", "2400.00"),
        ("13T16:00:00", "2420.00"),
        ("13T23:59:59.999", "2415.00"),
    ]


def test_ninjatraders_asks_are_asks(tmp_path: Path) -> None:
    path = a_file(tmp_path, "20260302 040000;1.5;0\n", "DAT_NT_EURUSD_T_ASK_202603.csv")
    assert quotes(path, Options(spread=Decimal("0.5"))) == [("02T09:00:00", "EURUSD", "1", "1.5")]
    assert plan_of(Source(path), Options()).layout.name == "histdata-nt"


def test_bars_that_are_empty_are_gaps(tmp_path: Path) -> None:
    path = a_file(tmp_path, f"time,open,high,low,close\n{NINE},1,1,1,1\n{NINE + 60_000},,,,\n", "EURUSD, 1.csv")
    assert (len(quotes(path)), QuoteFiles([path]).tables[0].skipped) == (4, 1)
    partly = a_file(tmp_path, f"time,open,high,low,close\n{NINE},1,1,1,\n", "EURUSD, 1.csv")
    assert "line 2: close is not a number: ''" in refusal(partly)


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_done_to_a_file_it_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    _, name, content = data.draw(st.sampled_from(TICK_FILES + BAR_FILES))
    content = content.format(*BAR, *FELL)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 20, len(content))))
        content = content[:start] + data.draw(st.text(alphabet='0123456789,.;:-/T \t\n"xé', max_size=8)) + content[end:]
    try:
        read = [row for batch in QuoteFiles([a_file(tmp_path, content, name)]).batches() for row in batch.rows]
    except Problem:
        return
    assert [row.time for row in read] == sorted(row.time for row in read)


def test_every_layout_has_its_file_here() -> None:
    made = {case[0] for case in TICK_FILES + BAR_FILES} | {"binance-klines", "lean", "prices", "histdata-nt"}
    assert made == set(BY_NAME)


RECORDED = [  # a file, its quotes and its first bid; or why it is refused
    ("20260302_quote.zip", 16, "1.08340"),
    ("BTCUSDT-1m-2026-03-02.csv", 16, "1.08340"),
    ("BTCUSDT-bookTicker-2026-03-02.csv", 4, "1.08340"),
    ("DAT_ASCII_EURUSD_M1_202603.csv", 16, "1.08340"),
    ("DAT_ASCII_EURUSD_T_202603.csv", 4, "1.08340"),
    ("EURUSD-2026_03_02.csv", 4, "1.08340"),
    ("EURUSD.csv", 6, "1.10000"),
    ("EURUSD_202603020000.csv", 4, "1.08340"),
    ("EURUSD_M1.csv", 16, "1.08340"),
    ("EURUSD_Ticks_02.03.2026.csv", 4, "1.083400000000000001"),
    ("XAUUSD.csv", 6, "2400.00"),
    *((f"own{kind}", 4, "1.08340") for kind in (".csv", ".csv.bz2", ".zip")),
    *((f"own_{kind}.csv", 4, "1.08340") for kind in ("bare", "blank", "bom", "caps", "crlf", "gaps", "iso", "lower")),
    *((f"own_{kind}.csv", 4, "1.08340") for kind in ("more", "ns", "order", "semi", "slash", "spaces", "twice", "us")),
    ("seconds.csv", 5, "1.08340"),
]


@pytest.mark.parametrize(("name", "count", "bid"), RECORDED, ids=[case[0] for case in RECORDED])
def test_files_as_people_have_them(recorded_quotes: Callable[[str], Path], name: str, count: int, bid: str) -> None:
    read = quotes(recorded_quotes(f"formats/{name}"))
    assert (len(read), read[0][2]) == (count, bid)
    assert {symbol for _, symbol, _, _ in read} <= {"EURUSD", "XAUUSD", "BTCUSDT"}


def test_files_as_people_have_them_that_are_broken(recorded_quotes: Callable[[str], Path]) -> None:
    assert "the packed data are cut off" in refusal(recorded_quotes("formats/own.csv.zst"))
    assert "own_back.csv, line 4: the time goes back" in refusal(recorded_quotes("formats/own_back.csv"))
