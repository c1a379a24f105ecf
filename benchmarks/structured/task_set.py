"""Schema tasks made from a seed: a text, what is to be read from it, the schema of the answer, and the object that is right.

Each template draws its own facts, so that tasks of one template differ in text and answer. Between them the schemas use enums and constants,
nested objects, arrays and numbers with bounds, multiples, formats, patterns, optional and conditional members, maps, tuples, $defs with
recursion, oneOf, allOf, and Chinese texts and names.
"""

import dataclasses
import datetime
import json
import random
import re
import uuid

from judging import Among

SEED = 20261125
TEMPLATES = []


@dataclasses.dataclass(frozen=True)
class Task:
    name: str
    prompt: str
    schema: dict
    expected: object


def template(language):
    """Makes a task's template of a function from a random generator to (what is asked for, text, schema, expected value)."""
    def register(function):
        TEMPLATES.append((function, language))
        return function

    return register


def closed(properties, optional=()):
    """An object of these members and no others."""
    return {"type": "object", "properties": properties, "required": [name for name in properties if name not in optional],
            "additionalProperties": False}


def array(items, least=1, most=8):
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def integer(least, most):
    return {"type": "integer", "minimum": least, "maximum": most}


def number(least, most, **more):
    return {"type": "number", "minimum": least, "maximum": most, **more}


def text(most=60, **more):
    return {"type": "string", "minLength": 1, "maxLength": most, **more}


def pattern(expression):
    return {"type": "string", "pattern": expression}


DATE = {"type": "string", "format": "date"}
EMAIL = {"type": "string", "format": "email"}
BOOLEAN = {"type": "boolean"}


def outline(schema):
    """A schema as a reader writes it down: {"age": integer, "state": "open" | "shut"}."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2] or "the same again"
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    for choice in ("enum", "oneOf", "anyOf"):
        if choice in schema:
            write = outline if choice != "enum" else lambda value: json.dumps(value, ensure_ascii=False)
            return " | ".join(map(write, schema[choice]))
    if "allOf" in schema:
        return " & ".join(map(outline, schema["allOf"]))
    if "prefixItems" in schema:
        return "[" + ", ".join(map(outline, schema["prefixItems"])) + "]"
    if schema["type"] == "array":
        return "[" + outline(schema["items"]) + ", ...]"
    if schema["type"] != "object":
        return schema.get("format") or " | ".join(schema["type"] if isinstance(schema["type"], list) else [schema["type"]])
    optional = set(schema.get("properties", {})) - set(schema.get("required", []))
    parts = [f'"{name}"{"?" if name in optional else ""}: {outline(part)}' for name, part in schema.get("properties", {}).items()]
    if isinstance(schema.get("additionalProperties"), dict):
        parts.append("...: " + outline(schema["additionalProperties"]))
    return "{" + ", ".join(parts) + "}"


def prompt_of(language, wish, source, schema):
    defined = "".join(f"{name} = {outline(part)}\n" for name, part in schema.get("$defs", {}).items())
    shape = outline({key: value for key, value in schema.items() if key != "$ref"} if "type" in schema else schema)
    if language == "zh":
        return f"从下面的文字中提取{wish}，只输出一个 JSON，不要解释。\n格式：{shape}\n{defined}文字：{source}"
    return f"Read {wish} from the text and answer with one JSON value and nothing else.\nIts form: {shape}\n{defined}Text: {source}"


def make_tasks(count, seed=SEED):
    """The same for the same seed; templates take turns."""
    tasks = []
    for index in range(count):
        function, language = TEMPLATES[index % len(TEMPLATES)]
        wish, source, schema, expected = function(random.Random(f"{seed}/{index}"))
        tasks.append(Task(function.__name__, prompt_of(language, wish, source, schema), schema, expected))
    return tasks


NAMES = ["Maria Keller", "Tom Reed", "Aisha Noor", "Jonas Lind", "Priya Shah", "Elena Rossi", "Samuel Okafor", "Grace Moore", "Ivan Petrov"]
NAMES_ZH = ["张伟", "李娜", "王芳", "刘洋", "陈静", "杨帆", "赵敏", "周杰", "吴桐", "孙悦"]
CITIES = ["Lyon", "Porto", "Ghent", "Turin", "Bergen", "Graz", "Malmo", "Leeds", "Bilbao"]
CITIES_ZH = ["杭州", "成都", "西安", "苏州", "厦门", "青岛", "长沙", "昆明"]
GOODS = ["lamp", "notebook", "kettle", "backpack", "keyboard", "umbrella", "scarf", "mug"]


def listed(words, last=" and "):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + last + words[-1]


def a_date(rng):
    return (datetime.date(2024, 1, 1) + datetime.timedelta(days=rng.randrange(700))).isoformat()


def cents(rng, least, most):
    return rng.randrange(least * 100, most * 100) / 100


@template("en")
def order(rng):
    goods = rng.sample(GOODS, rng.randint(1, 3))
    items = [{"name": name, "quantity": rng.randint(1, 9)} for name in goods]
    status, paid = rng.choice(["open", "shipped", "returned"]), rng.random() < 0.5
    number_of, buyer, total = f"A-{rng.randrange(1000, 9999)}", rng.choice(NAMES), cents(rng, 5, 400)
    bought = listed([f"{item['quantity']} x {item['name']}" for item in items])
    source = (f"Order {number_of} of {buyer} is {status}. It has {bought}. The total is {total:.2f} euros, which "
              f"{'has been paid' if paid else 'has not been paid yet'}.")
    schema = closed({"order_id": pattern("^[A-Z]-[0-9]{4}$"), "customer": text(), "status": {"enum": ["open", "shipped", "returned"]},
                     "items": array(closed({"name": text(30), "quantity": integer(1, 99)})), "total": number(0, 10000, multipleOf=0.01),
                     "paid": BOOLEAN})
    return "the order", source, schema, {"order_id": number_of, "customer": buyer, "status": status, "items": items, "total": total, "paid": paid}


@template("zh")
def meeting(rng):
    people, topic = rng.sample(NAMES_ZH, rng.randint(2, 4)), rng.choice(["预算", "招聘", "新产品发布", "客户投诉", "年度总结"])
    day, hour, online = a_date(rng), f"{rng.randint(8, 18):02}:{rng.choice(['00', '15', '30', '45'])}", rng.random() < 0.5
    source = (f"关于{topic}的会议定在{day}，{hour}开始，{'线上' if online else '线下'}举行，参加的人有{listed(people, '和').replace(', ', '、')}。")
    schema = closed({"topic": text(20), "date": DATE, "start": pattern("^([01][0-9]|2[0-3]):[0-5][0-9]$"), "online": BOOLEAN,
                     "attendees": array(text(8))})
    return "会议信息", source, schema, {"topic": topic, "date": day, "start": hour, "online": online, "attendees": people}


@template("en")
def contact(rng):
    name, company = rng.choice(NAMES), rng.choice(["Nordwind Logistics", "Blue Pine", "Harbor Labs", "Tessera"])
    email = name.lower().replace(" ", ".") + "@" + company.split()[0].lower() + ".example"
    phone = f"+{rng.randrange(10**9, 10**11)}" if rng.random() < 0.5 else None
    source = f"{name} works for {company}. Write to {email}" + (f" or call {phone}." if phone else ". There is no telephone number.")
    schema = closed({"name": text(), "company": text(), "email": EMAIL, "phone": pattern(r"^\+[0-9]{6,14}$")}, optional=["phone"])
    return "the contact", source, schema, {"name": name, "company": company, "email": email} | ({"phone": phone} if phone else {})


@template("zh")
def product(rng):
    name, colour = rng.choice(["保温杯", "台灯", "双肩包", "机械键盘", "雨伞"]), rng.choice(["红色", "蓝色", "黑色", "白色"])
    price, stock, grams = rng.randrange(20, 900), rng.randrange(0, 500), rng.randrange(100, 3000, 50)
    made, warm = rng.choice(CITIES_ZH), rng.choice([6, 12, 24])
    source = f"{colour}{name}，售价{price}元，库存{stock}件，重{grams}克，产地{made}，保修{warm}个月。"
    schema = closed({"name": text(20), "color": {"enum": ["红色", "蓝色", "黑色", "白色"]}, "price": number(0, 100000), "stock": integer(0, 100000),
                     "details": closed({"weight_g": integer(1, 50000), "origin": text(10), "warranty_months": {"enum": [6, 12, 24]}})})
    return "商品信息", source, schema, {"name": name, "color": colour, "price": price, "stock": stock,
                                    "details": {"weight_g": grams, "origin": made, "warranty_months": warm}}


@template("en")
def flight(rng):
    airports = rng.sample(["LYS", "OPO", "BRU", "TRN", "BGO", "GRZ", "LBA", "BIO"], 2)
    flight_number, day, seat = f"{rng.choice(['NX', 'HB', 'QW'])}{rng.randrange(100, 999)}", a_date(rng), rng.choice(["economy", "business"])
    price = rng.randrange(40, 900)
    source = f"Flight {flight_number} from {airports[0]} to {airports[1]} leaves on {day}. A seat in {seat} class costs {price} euros."
    airport = pattern("^[A-Z]{3}$")
    schema = closed({"flight": pattern("^[A-Z]{2}[0-9]{3,4}$"), "from": airport, "to": airport, "date": DATE,
                     "class": {"enum": ["economy", "premium", "business", "first"]}, "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 20000}})
    return "the flight", source, schema, {"flight": flight_number, "from": airports[0], "to": airports[1], "date": day, "class": seat, "price": price}


@template("en")
def weather(rng):
    city, low = rng.choice(CITIES), rng.randint(-12, 20)
    high, wind, sky = low + rng.randint(2, 12), rng.randrange(2, 90), rng.choice(["sunny", "cloudy", "rain", "snow"])
    side = rng.choice(["N", "E", "S", "W"])
    source = f"{city} today: {sky}, from {low} to {high} degrees, wind from {dict(N='north', E='east', S='south', W='west')[side]} at {wind} km/h."
    schema = closed({"city": text(30), "condition": {"enum": ["sunny", "cloudy", "rain", "snow", "fog"]}, "low": integer(-60, 60), "high": integer(-60, 60),
                     "wind": closed({"direction": {"enum": ["N", "E", "S", "W"]}, "speed": number(0, 400)})})
    return "the weather", source, schema, {"city": city, "condition": sky, "low": low, "high": high, "wind": {"direction": side, "speed": wind}}


@template("en")
def device(rng):
    address, name = ".".join(str(rng.randrange(1, 255)) for _ in range(4)), f"{rng.choice(['web', 'mail', 'db'])}-{rng.randint(1, 40)}.lan.example"
    ports, key = sorted(rng.sample([22, 25, 80, 443, 993, 5432, 8080], rng.randint(1, 3))), str(uuid.UUID(int=rng.getrandbits(128), version=4))
    source = f"Host {name} answers at {address}; open ports: {listed([str(port) for port in ports])}. Its id is {key}."
    schema = closed({"hostname": {"type": "string", "format": "hostname"}, "address": {"type": "string", "format": "ipv4"},
                     "ports": array(integer(1, 65535)), "id": {"type": "string", "format": "uuid"}})
    return "the device", source, schema, {"hostname": name, "address": address, "ports": ports, "id": key}


@template("zh")
def review(rng):
    aspects = rng.sample(["服务", "味道", "环境", "价格"], 2)
    moods, shop, score = [rng.choice(["正面", "负面"]) for _ in aspects], rng.choice(["老王面馆", "江边茶楼", "小巷咖啡"]), rng.randint(1, 5)
    said = "，".join(f"{aspect}{'很好' if mood == '正面' else '很差'}" for aspect, mood in zip(aspects, moods))
    source = f"我给{shop}打{score}分：{said}。"
    schema = closed({"shop": text(20), "score": integer(1, 5),
                     "aspects": array(closed({"aspect": {"enum": ["服务", "味道", "环境", "价格"]}, "sentiment": {"enum": ["正面", "负面", "中性"]}}), most=4)})
    return "评价", source, schema, {"shop": shop, "score": score, "aspects": [{"aspect": a, "sentiment": m} for a, m in zip(aspects, moods)]}


@template("en")
def ticket(rng):
    product_name, priority, escalated = rng.choice(["router", "printer", "scanner"]), rng.choice(["low", "normal", "high"]), rng.random() < 0.5
    tags, day = rng.sample(["battery", "screen", "wifi", "noise", "heat"], rng.randint(1, 3)), a_date(rng)
    source = (f"Ticket opened {day}: the {product_name} has trouble with {listed(tags)}. Priority is {priority}. It was "
              f"{'' if escalated else 'not '}escalated.")
    schema = closed({"opened": DATE, "product": text(20), "priority": {"enum": ["low", "normal", "high"]}, "tags": array(text(20), most=5), "escalated": BOOLEAN})
    return "the ticket", source, schema, {"opened": day, "product": product_name, "priority": priority, "tags": tags, "escalated": escalated}


@template("en")
def payment(rng):
    amount, kind = cents(rng, 1, 900), rng.choice(["card", "transfer", "cash"])
    digits, iban, till = f"{rng.randrange(10**4):04}", f"DE{rng.randrange(10**19, 10**20)}", rng.randint(1, 12)
    said = {"card": f"by card ending in {digits}", "transfer": f"by transfer from {iban}", "cash": f"in cash at till {till}"}[kind]
    extra = {"card": {"last4": digits}, "transfer": {"iban": iban}, "cash": {"till": till}}[kind]
    schema = {"type": "object", "oneOf": [
        closed({"kind": {"const": "card"}, "amount": number(0, 100000), "last4": pattern("^[0-9]{4}$")}),
        closed({"kind": {"const": "transfer"}, "amount": number(0, 100000), "iban": pattern("^[A-Z]{2}[0-9]{14,30}$")}),
        closed({"kind": {"const": "cash"}, "amount": number(0, 100000), "till": integer(1, 99)})]}
    return "the payment", f"{amount:.2f} euros were paid {said}.", schema, {"kind": kind, "amount": amount} | extra


@template("en")
def folder(rng):
    names = rng.sample(["letters", "photos", "bills", "music", "drafts", "maps"], 4)
    source = f"The folder {names[0]} holds the folders {names[1]} and {names[2]}. In {names[2]} lies the folder {names[3]}. The others are empty."
    schema = {"$defs": {"folder": closed({"name": text(20), "folders": {"type": "array", "items": {"$ref": "#/$defs/folder"}, "maxItems": 4}})},
              "$ref": "#/$defs/folder"}
    empty = [{"name": name, "folders": []} for name in (names[1], names[3])]
    return "the folders", source, schema, {"name": names[0], "folders": [empty[0], {"name": names[2], "folders": [empty[1]]}]}


@template("en")
def addresses(rng):
    def place():
        return {"street": f"{rng.choice(['Mill', 'Church', 'Station', 'Garden'])} Street", "number": rng.randint(1, 200),
                "postcode": f"{rng.randrange(10000, 99999)}", "city": rng.choice(CITIES)}

    billing, shipping = place(), place()
    write = "{number} {street}, {postcode} {city}".format
    source = f"Send the bill to {write(**billing)} and the parcel to {write(**shipping)}."
    address = closed({"street": text(30), "number": integer(1, 9999), "postcode": pattern("^[0-9]{5}$"), "city": text(30)})
    schema = closed({"billing": {"$ref": "#/$defs/address"}, "shipping": {"$ref": "#/$defs/address"}}) | {"$defs": {"address": address}}
    return "both addresses", source, schema, {"billing": billing, "shipping": shipping}


@template("en")
def employee(rng):
    name, team, since, remote = rng.choice(NAMES), rng.choice(["sales", "support", "research"]), a_date(rng), rng.random() < 0.5
    manager = rng.choice([other for other in NAMES if other != name]) if rng.random() < 0.5 else None
    source = (f"{name} has been in {team} since {since}" + (f" and reports to {manager}. " if manager else " and reports to nobody. ") +
              ("Works from home." if remote else "Works in the office."))
    schema = closed({"name": text(), "team": {"enum": ["sales", "support", "research", "finance"]}, "since": DATE,
                     "manager": {"type": ["string", "null"], "maxLength": 60}, "remote": BOOLEAN, "version": {"const": 2}})
    return "the employee", source, schema, {"name": name, "team": team, "since": since, "manager": manager, "remote": remote, "version": 2}


@template("zh")
def parcel(rng):
    code, receiver, city = f"SF{rng.randrange(10**9, 10**10)}", rng.choice(NAMES_ZH), rng.choice(CITIES_ZH)
    kilos, phone, state = rng.randrange(5, 300) / 10, f"1{rng.randrange(3 * 10**9, 9 * 10**9)}", rng.choice(["运输中", "已签收", "待取件"])
    source = f"快递单号{code}，收件人{receiver}，电话{phone}，寄往{city}，重{kilos}公斤，{state}。"
    schema = closed({"单号": pattern("^SF[0-9]{10}$"), "收件人": closed({"姓名": text(10), "电话": pattern("^1[3-9][0-9]{9}$")}), "城市": text(10),
                     "重量": {"type": "number", "exclusiveMinimum": 0, "maximum": 100}, "状态": {"enum": ["运输中", "已签收", "待取件"]}})
    return "快递信息", source, schema, {"单号": code, "收件人": {"姓名": receiver, "电话": phone}, "城市": Among((city, city + "市")), "重量": kilos, "状态": state}


@template("en")
def languages(rng):
    levels = {name: rng.choice(["A2", "B1", "B2", "C1"]) for name in rng.sample(["German", "Polish", "Spanish", "Swedish", "Greek"], rng.randint(1, 3))}
    name = rng.choice(NAMES)
    source = f"{name} speaks " + listed([f"{language} at {level}" for language, level in levels.items()]) + "."
    schema = closed({"name": text(), "languages": {"type": "object", "minProperties": 1, "maxProperties": 6, "propertyNames": {"pattern": "^[A-Z][a-z]{2,12}$"},
                                                   "additionalProperties": {"enum": ["A1", "A2", "B1", "B2", "C1", "C2"]}}})
    return "the levels", source, schema, {"name": name, "languages": levels}


@template("en")
def place(rng):
    name, kind = f"{rng.choice(CITIES)} {rng.choice(['Tower', 'Bridge', 'Museum'])}", rng.choice(["north", "south"])
    latitude, longitude = rng.randrange(-8900, 8900) / 100, rng.randrange(-17900, 17900) / 100
    built, height = rng.randrange(1450, 2020), rng.randrange(10, 300)
    source = f"{name} stands at latitude {latitude}, longitude {longitude}. It was built in {built}, is {height} m high and its entrance is {kind}."
    schema = {"type": "object", "unevaluatedProperties": False, "allOf": [
        {"type": "object", "properties": {"name": text(40), "position": {"type": "array", "prefixItems": [number(-90, 90), number(-180, 180)],
                                                                      "minItems": 2, "items": False}}, "required": ["name", "position"]},
        {"type": "object", "properties": {"built": integer(1000, 2100), "height_m": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
                                          "entrance": {"enum": ["north", "east", "south", "west"]}}, "required": ["built", "height_m", "entrance"]}]}
    return "the place", source, schema, {"name": name, "position": [latitude, longitude], "built": built, "height_m": height, "entrance": kind}


@template("en")
def delivery(rng):
    city, day, brought = rng.choice(CITIES), a_date(rng), rng.random() < 0.5
    source = f"The parcel will be {'delivered to ' + city if brought else 'picked up by the customer'} on {day}."
    schema = closed({"method": {"enum": ["delivery", "pickup"]}, "date": DATE, "city": text(30)}, optional=["city"])
    schema |= {"if": {"properties": {"method": {"const": "delivery"}}}, "then": {"required": ["city"]}, "else": {"properties": {"city": False}}}
    return "how the parcel is handed over", source, schema, {"method": "delivery" if brought else "pickup", "date": day} | ({"city": city} if brought else {})


@template("zh")
def course(rng):
    slots = [{"weekday": day, "room": rng.randint(101, 599)} for day in rng.sample(["周一", "周二", "周三", "周四", "周五"], rng.randint(1, 2))]
    name, teacher, credits = rng.choice(["线性代数", "现代汉语", "有机化学", "世界历史"]), rng.choice(NAMES_ZH), rng.choice([1, 1.5, 2, 2.5, 3])
    source = f"《{name}》由{teacher}老师讲授，{credits}学分，" + "，".join(f"{slot['weekday']}在{slot['room']}教室" for slot in slots) + "上课。"
    schema = closed({"course": text(20), "teacher": text(8), "credits": number(0.5, 10, multipleOf=0.5),
                     "times": array(closed({"weekday": {"enum": ["周一", "周二", "周三", "周四", "周五"]}, "room": integer(100, 999)}), most=5)})
    return "课程信息", source, schema, {"course": Among((name, f"《{name}》")), "teacher": Among((teacher, teacher + "老师")), "credits": credits, "times": slots}


@template("en")
def invoice(rng):
    number_of, net, code = f"{rng.randrange(2020, 2030)}/{rng.randrange(100, 999)}", cents(rng, 10, 900), f"SAVE{rng.randint(5, 30)}"
    due, discount = a_date(rng), rng.choice([5, 10, 15]) if rng.random() < 0.5 else None
    source = f"Invoice {number_of} over {net:.2f} is due on {due}." + (f" {discount} percent off with code {code}." if discount else " There is no discount.")
    schema = closed({"invoice": pattern("^20[0-9]{2}/[0-9]{3}$"), "amount": number(0, 100000, multipleOf=0.01), "due": DATE,
                     "discount_percent": integer(1, 90), "discount_code": pattern("^[A-Z]{2,8}[0-9]{1,3}$")}, optional=["discount_percent", "discount_code"])
    schema["dependentRequired"] = {"discount_percent": ["discount_code"], "discount_code": ["discount_percent"]}
    expected = {"invoice": number_of, "amount": net, "due": due}
    return "the invoice", source, schema, expected | ({"discount_percent": discount, "discount_code": code} if discount else {})


@template("en")
def stops(rng):
    towns = rng.sample(CITIES, rng.randint(2, 5))
    begins = [datetime.datetime(2025, rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), tzinfo=datetime.timezone.utc) for _ in towns]
    times = [re.sub(r"\+00:00$", "Z", begin.isoformat()) for begin in begins]
    source = "The train stops: " + "; ".join(f"{town} at {when}" for town, when in zip(towns, times)) + "."
    schema = {"type": "array", "minItems": 2, "maxItems": 6, "items": closed({"town": text(20), "at": {"type": "string", "format": "date-time"}})}
    return "the stops", source, schema, [{"town": town, "at": when} for town, when in zip(towns, times)]
