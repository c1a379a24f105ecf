#include "bench/article/conversation_words.h"

#include "base/check.h"

namespace hussar {
namespace {

constexpr std::string_view kDogs[] = {"Biscuit", "Pepper", "Rusty", "Pickle",
                                      "Domino",  "Waffle", "Cosmo", "Ziggy"};
constexpr std::string_view kCities[] = {"Lisbon", "Oslo",    "Dublin",  "Prague",
                                        "Vienna", "Toronto", "Nairobi", "Lima"};
constexpr std::string_view kColours[] = {"green",     "purple",  "orange", "yellow",
                                         "turquoise", "crimson", "silver", "brown"};
constexpr std::string_view kCodes[] = {"4172", "9305", "2648", "7781", "5039", "8426", "3617", "6954"};
constexpr std::string_view kJobs[] = {"nurse",  "carpenter", "pilot",   "baker",
                                      "lawyer", "plumber",   "dentist", "florist"};
constexpr std::string_view kFruits[] = {"apricot",    "cherry|cherries", "kiwi|kiwis",   "peach|peaches",
                                        "plum|plums", "papaya",          "grape|grapes", "melon"};
constexpr std::string_view kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                      "Friday", "Saturday", "Sunday"};
constexpr std::string_view kInstruments[] = {"violin", "trumpet", "cello",     "flute",
                                             "drums",  "harp",    "accordion", "clarinet"};
constexpr std::string_view kFriends[] = {"Marta", "Jonas", "Priya",  "Felix",
                                         "Noor",  "Diego", "Ingrid", "Kenji"};

constexpr FactKind kEnglishKinds[] = {
    {"Please remember this: my dog is called {}.", "We gave the dog another name. It is called {} now.",
     "What is my dog called?", "Which name does my dog answer to?", kDogs},
    {"Please remember this: I live in {}.", "I have moved house. I live in {} now.",
     "Which city do I live in?", "In what city is my home?", kCities},
    {"Please remember this: my favourite colour is {}.", "I changed my mind. My favourite colour is {} now.",
     "What is my favourite colour?", "Which colour do I like best?", kColours},
    {"Please remember this: the code of my locker is {}.", "My locker got another code. It is {} now.",
     "What is the code of my locker?", "Which code opens my locker?", kCodes},
    {"Please remember this: my sister works as a {}.", "My sister found another job. She works as a {} now.",
     "What is my sister's job?", "What does my sister do for a living?", kJobs},
    {"Please remember this: the fruit I like best is the {}.",
     "My taste has changed. The fruit I like best is the {} now.", "Which fruit do I like best?",
     "What is my favourite fruit?", kFruits},
    {"Please remember this: my swimming lesson is on {}.",
     "My swimming lesson was put on another day. It is on {} now.", "On which day is my swimming lesson?",
     "Which day of the week do I have my swimming lesson?", kDays},
    {"Please remember this: the instrument I play is the {}.",
     "I took up another instrument. I play the {} now.", "Which instrument do I play?",
     "What do I make music on?", kInstruments},
    {"Please remember this: my best friend is called {}.", "I have another best friend, who is called {}.",
     "What is my best friend called?", "Who is my best friend?", kFriends},
};

constexpr std::string_view kEnglishFillers[] = {
    "Why is the sky blue?",
    "How do bees make honey?",
    "What does a compass show?",
    "Why do leaves fall in autumn?",
    "How does a bicycle stay upright?",
    "What is a volcano?",
    "Why is sea water salty?",
    "How long does the Earth take to go around the Sun?",
    "What is bread made of?",
    "How does soap clean hands?",
    "Why do cats purr?",
    "What is a rainbow?",
    "How do aeroplanes fly?",
    "What is the use of a dictionary?",
    "Why do we sleep?",
    "How is paper made?",
    "What causes thunder?",
    "How do plants drink water?",
    "What is a lighthouse for?",
    "Why does ice float on water?",
    "How does a thermometer work?",
    "What is the Moon made of?",
    "Why do birds migrate?",
    "How does a clock keep time?",
    "What is a desert?",
    "Why do magnets attract iron?",
};

constexpr std::string_view kChineseDogs[] = {"豆包", "雪球", "团子", "闪电", "芝麻", "可乐", "布丁", "旺财"};
constexpr std::string_view kChineseCities[] = {"昆明", "青岛", "西安", "厦门",
                                               "成都", "武汉", "南京", "哈尔滨"};
constexpr std::string_view kChineseColours[] = {"绿色",        "紫色", "橙色|橘色", "黄色",
                                                "粉色|粉红色", "银色", "棕色|褐色", "白色"};
constexpr std::string_view kChineseJobs[] = {"护士", "木匠", "飞行员", "面包师",
                                             "律师", "会计", "牙医",   "花匠"};
constexpr std::string_view kChineseFruits[] = {"杏子", "樱桃", "猕猴桃", "葡萄",
                                               "李子", "木瓜", "西瓜",   "荔枝"};
constexpr std::string_view kChineseDays[] = {"星期一|周一|礼拜一",
                                             "星期二|周二|礼拜二",
                                             "星期三|周三|礼拜三",
                                             "星期四|周四|礼拜四",
                                             "星期五|周五|礼拜五",
                                             "星期六|周六|礼拜六",
                                             "星期日|星期天|周日|周天|礼拜天|礼拜日"};
constexpr std::string_view kChineseInstruments[] = {"小提琴", "小号", "大提琴", "长笛",
                                                    "架子鼓", "竖琴", "手风琴", "单簧管"};
constexpr std::string_view kChineseFriends[] = {"马丽", "陈刚", "刘洋", "赵敏",
                                                "孙浩", "周婷", "吴磊", "郑爽"};

constexpr FactKind kChineseKinds[] = {
    {"请记住：我的狗叫{}。", "我们给狗改了名字，它现在叫{}。", "我的狗叫什么名字？", "我养的狗，名字是什么？",
     kChineseDogs},
    {"请记住：我住在{}。", "我搬家了，现在住在{}。", "我住在哪个城市？", "我的家在哪座城市？",
     kChineseCities},
    {"请记住：我最喜欢的颜色是{}。", "我改主意了，现在最喜欢的颜色是{}。", "我最喜欢什么颜色？",
     "哪种颜色是我最爱的？", kChineseColours},
    {"请记住：我储物柜的密码是{}。", "我的储物柜换了密码，现在是{}。", "我储物柜的密码是多少？",
     "用哪个密码能打开我的储物柜？", kCodes},
    {"请记住：我姐姐的职业是{}。", "我姐姐换工作了，现在的职业是{}。", "我姐姐的职业是什么？",
     "我姐姐是做什么工作的？", kChineseJobs},
    {"请记住：我最爱吃的水果是{}。", "我的口味变了，现在最爱吃的水果是{}。", "我最爱吃什么水果？",
     "哪种水果是我最喜欢吃的？", kChineseFruits},
    {"请记住：我的游泳课在{}。", "我的游泳课改时间了，现在在{}。", "我的游泳课在星期几？",
     "我哪一天上游泳课？", kChineseDays},
    {"请记住：我会演奏的乐器是{}。", "我换了一种乐器，现在演奏的是{}。", "我演奏什么乐器？",
     "我会的乐器是哪一种？", kChineseInstruments},
    {"请记住：我最好的朋友叫{}。", "我最好的朋友换人了，现在是{}。", "我最好的朋友叫什么？",
     "谁是我最好的朋友？", kChineseFriends},
};

constexpr std::string_view kChineseFillers[] = {
    "天空为什么是蓝的？",   "蜜蜂怎样酿蜜？",       "指南针有什么用？",   "树叶为什么在秋天落下？",
    "自行车为什么不会倒？", "火山是什么？",         "海水为什么是咸的？", "地球绕太阳一圈要多久？",
    "馒头是用什么做的？",   "肥皂为什么能洗手？",   "猫为什么会打呼噜？", "彩虹是怎样形成的？",
    "飞机为什么能飞？",     "字典有什么用？",       "人为什么要睡觉？",   "纸是怎样造出来的？",
    "为什么会打雷？",       "植物怎样喝水？",       "灯塔是做什么用的？", "冰为什么能浮在水面上？",
    "温度计是怎样工作的？", "月球是由什么组成的？", "候鸟为什么要迁徙？", "钟表怎样计时？",
    "沙漠是什么样的？",     "磁铁为什么能吸铁？",
};

}  // namespace

const ConversationWords& conversation_words(std::string_view language) {
  static constexpr ConversationWords kEnglish{kEnglishKinds, kEnglishFillers};
  static constexpr ConversationWords kChinese{kChineseKinds, kChineseFillers};
  CHECK(language == "en" || language == "zh");
  return language == "en" ? kEnglish : kChinese;
}

}  // namespace hussar
