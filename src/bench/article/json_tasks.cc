#include "bench/article/json_tasks.h"

namespace hussar {
namespace {

JsonArray list(std::initializer_list<const char*> items) {
  JsonArray array;
  for (const char* item : items) array.emplace_back(item);
  return array;
}

JsonTask make_article_task() {
  JsonTask task{
      "person-zh",
      "zh",
      "请把下面这个人的信息整理成 JSON。要求：字段名使用小写英文；技能用数组表示；只输出 "
      "JSON，不要任何解释。\n"
      "信息：姓名是张伟，年龄32岁，职业是软件工程师，掌握的技能有 Python、Java 和 SQL，居住的城市是杭州。\n",
      false,
      {}};
  task.fields = {
      {"name", FieldType::kString, {"张伟"}, {"full_name", "username", "person_name", "姓名", "名字"}},
      {"age", FieldType::kInteger, {32}, {"years", "years_old", "年龄"}},
      {"job",
       FieldType::kString,
       {"软件工程师"},
       {"occupation", "profession", "career", "job_title", "title", "position", "role", "work", "职业",
        "工作"}},
      {"skills",
       FieldType::kStringList,
       {list({"Python", "Java", "SQL"})},
       {"skill", "skill_set", "skills_list", "abilities", "technologies", "programming_languages", "技能"}},
      {"city",
       FieldType::kString,
       {"杭州", "杭州市"},
       {"location", "residence", "address", "town", "living_city", "city_of_residence", "城市", "居住城市",
        "所在城市"}}};
  return task;
}

JsonTask make_order_task() {
  JsonTask task{
      "order-zh",
      "zh",
      "请从下面这段话里提取订单信息，只输出一个 JSON 对象，不要解释。键必须是："
      "\"order_id\"（字符串）、\"customer\"（字符串）、\"items\"（字符串数组）、\"total\"（数字）、"
      "\"paid\"（布尔值）。\n"
      "文字：李娜的订单编号是 A2045，买了笔记本、钢笔和书签三样东西，一共 86.5 元，款项已经付清。\n",
      true,
      {}};
  task.fields = {
      {"order_id", FieldType::kString, {"A2045"}, {"id", "order_number", "order", "订单编号"}},
      {"customer", FieldType::kString, {"李娜"}, {"customer_name", "name", "buyer", "客户"}},
      {"items", FieldType::kStringList, {list({"笔记本", "钢笔", "书签"})}, {"products", "goods", "商品"}},
      {"total", FieldType::kNumber, {86.5}, {"total_price", "amount", "price", "总价"}},
      {"paid", FieldType::kBoolean, {true}, {"is_paid", "payment", "paid_status", "已付款"}}};
  return task;
}

JsonTask make_book_task() {
  JsonTask task{
      "book-zh",
      "zh",
      "把这本书的资料写成一个 JSON 对象，只输出 JSON。键名固定为 \"title\"、\"author\"、\"year\"、\"pages\"、"
      "\"tags\"，其中 \"year\" 和 \"pages\" 是整数，\"tags\" 是字符串数组。\n"
      "资料：《星河来信》，作者周明远，2016年出版，全书248页，标签是科幻和冒险。\n",
      true,
      {}};
  task.fields = {
      {"title", FieldType::kString, {"星河来信", "《星河来信》"}, {"name", "book", "book_title", "书名"}},
      {"author", FieldType::kString, {"周明远"}, {"writer", "author_name", "作者"}},
      {"year",
       FieldType::kInteger,
       {2016},
       {"published", "publication_year", "publish_year", "date", "出版年份"}},
      {"pages", FieldType::kInteger, {248}, {"page_count", "page", "number_of_pages", "页数"}},
      {"tags", FieldType::kStringList, {list({"科幻", "冒险"})}, {"tag", "labels", "genres", "标签"}}};
  return task;
}

JsonTask make_contact_task() {
  JsonTask task{
      "contact-en",
      "en",
      "Turn the note below into one JSON object with exactly these keys: \"name\" (string), \"company\" "
      "(string), \"email\" (string), \"extension\" (integer), \"languages\" (array of strings). Write only "
      "the JSON, no explanation.\n"
      "Note: Maria Keller works for Nordwind Logistics. Write to her at maria.keller@nordwind.example or "
      "call extension 417. She speaks German, English and Polish.\n",
      true,
      {}};
  task.fields = {
      {"name", FieldType::kString, {"Maria Keller"}, {"full_name", "contact", "person"}},
      {"company", FieldType::kString, {"Nordwind Logistics"}, {"employer", "organization", "organisation"}},
      {"email", FieldType::kString, {"maria.keller@nordwind.example"}, {"e_mail", "mail", "email_address"}},
      {"extension", FieldType::kInteger, {417}, {"phone", "phone_extension", "ext", "telephone"}},
      {"languages",
       FieldType::kStringList,
       {list({"German", "English", "Polish"})},
       {"language", "spoken_languages", "speaks"}}};
  return task;
}

JsonTask make_event_task() {
  JsonTask task{
      "event-en",
      "en",
      "Read the message and answer with a single JSON object and nothing else. Its keys are \"title\" "
      "(string), \"weekday\" (string), \"seats\" (integer), \"price\" (number), \"online\" (boolean) and "
      "\"speakers\" (array of strings).\n"
      "Message: Our workshop \"Bees in the City\" takes place on Thursday. There are 40 seats, a ticket "
      "costs 12.5 euros, and it is held on site only, not online. The speakers are Tom Reed and Aisha "
      "Noor.\n",
      true,
      {}};
  task.fields = {{"title", FieldType::kString, {"Bees in the City"}, {"name", "event", "workshop"}},
                 {"weekday", FieldType::kString, {"Thursday"}, {"day", "date"}},
                 {"seats", FieldType::kInteger, {40}, {"capacity", "places", "number_of_seats"}},
                 {"price", FieldType::kNumber, {12.5}, {"cost", "ticket_price", "fee"}},
                 {"online", FieldType::kBoolean, {false}, {"is_online", "virtual", "remote"}},
                 {"speakers",
                  FieldType::kStringList,
                  {list({"Tom Reed", "Aisha Noor"})},
                  {"speaker", "presenters", "hosts"}}};
  return task;
}

}  // namespace

const JsonTask& article_json_task() {
  static const JsonTask kTask = make_article_task();
  return kTask;
}

const std::vector<JsonTask>& keyed_json_tasks() {
  static const std::vector<JsonTask> kTasks = {make_order_task(), make_contact_task(), make_book_task(),
                                               make_event_task()};
  return kTasks;
}

const JsonTask* find_json_task(std::string_view id) {
  if (article_json_task().id == id) return &article_json_task();
  for (const JsonTask& task : keyed_json_tasks()) {
    if (task.id == id) return &task;
  }
  return nullptr;
}

}  // namespace hussar
