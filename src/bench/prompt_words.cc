#include "bench/prompt_words.h"

namespace hussar {
namespace {

// Everyday words that common vocabularies hold whole, at the front of a text and behind a space.
constexpr std::string_view kEnglish[] = {
    "time", "year", "work", "life", "hand", "part", "case", "week", "home", "room", "area", "book", "word",
    "side", "kind", "head", "fact", "idea", "game", "door", "body", "line", "city", "name", "team", "road",
    "form", "food", "foot", "land", "love", "mind", "king", "wall", "wind", "fire", "rain", "snow", "moon",
    "star", "ship", "boat", "farm", "bird", "fish", "tree", "leaf", "rose", "gold", "iron", "wood", "rock",
    "sand", "lake", "hill", "path", "park", "shop", "bank", "ring", "coat", "rice", "salt", "soup", "bear",
    "lion", "wolf", "song", "film", "show", "news", "page", "note", "list", "plan", "test", "goal", "rule",
    "role", "race", "risk", "sale", "cost", "rate", "size", "type", "unit", "zone", "date", "hour", "gate",
    "seat", "bell", "ball", "card", "coin", "corn", "crop", "dish", "fuel", "girl", "hair", "heat", "hall",
    "lord", "mail", "mark", "mile", "neck", "nest", "pain", "pair", "past", "peak", "pipe", "play", "pool",
    "port", "post", "rail", "root", "seed", "shot", "sign", "skin", "step", "tail", "tank", "task", "tool",
    "town", "trip", "tube", "turn", "user", "vote", "wave", "wine", "wing", "yard", "blue", "cold", "dark",
    "deep", "easy", "fair", "fast", "fine", "free", "full", "good", "hard", "high", "late", "long", "main",
    "near", "open", "pure", "real", "rich", "safe", "slow", "soft", "thin", "true", "warm", "weak", "wide",
    "wild", "wise", "able", "baby", "beam", "bond", "born", "call", "camp", "care", "cell", "club", "code",
    "data", "draw", "edge", "face", "file", "flag", "flow", "fund", "help", "hero", "hint", "host", "item",
    "join", "jump", "keep", "kick", "lead", "less", "lift", "link", "load", "loan", "lock", "look", "loss",
    "make", "meal", "mean", "menu", "mine", "miss", "move", "must", "need", "pack", "paid", "pick", "plot",
    "poll", "rank", "read", "rent", "rest", "ride", "rise", "rush", "save", "seek", "sell", "send", "sing",
    "site", "sold", "sort", "spot", "stay", "stop", "take", "talk", "tell", "term", "text", "tone", "upon",
    "vary", "very", "view", "walk", "want", "wash", "wear", "west", "will",
};

constexpr std::string_view kChinese[] = {
    "时间", "人们", "工作", "生活", "学习", "学生", "老师", "学校", "城市", "国家", "世界", "社会", "经济",
    "文化", "历史", "科学", "技术", "艺术", "音乐", "电影", "故事", "小说", "诗歌", "语言", "文字", "数学",
    "物理", "化学", "生物", "医学", "健康", "运动", "足球", "篮球", "比赛", "旅行", "火车", "飞机", "汽车",
    "公路", "桥梁", "河流", "山脉", "海洋", "天空", "太阳", "月亮", "星星", "春天", "夏天", "秋天", "冬天",
    "花园", "森林", "动物", "植物", "水果", "蔬菜", "米饭", "面条", "早餐", "晚餐", "厨房", "房间", "窗户",
    "桌子", "椅子", "书籍", "报纸", "新闻", "网络", "手机", "电脑", "软件", "数据", "信息", "问题", "方法",
    "计划", "目标", "结果", "原因", "过程", "经验", "知识", "能力", "机会", "市场", "公司", "产品", "价格",
    "银行", "投资", "农业", "工业", "环境", "能源", "天气", "温度", "空气", "土地", "村庄", "邻居", "朋友",
    "家庭", "父母", "孩子", "青年", "老人", "医生", "护士", "警察", "司机", "演员", "作家", "记者", "律师",
    "农民", "工人", "梦想", "希望", "快乐", "幸福", "勇气", "智慧", "友谊", "爱情", "自由", "和平", "安全",
    "法律", "传统", "节日", "礼物", "颜色", "声音", "味道", "形状", "速度", "距离", "高度", "重量", "黄金",
    "石头", "木材", "玻璃", "衣服", "鞋子", "帽子", "钥匙", "灯光", "道路", "广场", "公园", "商店", "市民",
    "游客", "中心", "北京", "上海",
};

template <size_t count>
constexpr bool all_are_bytes(const std::string_view (&words)[count], size_t bytes) {
  for (const std::string_view word : words) {
    if (word.size() != bytes) return false;
  }
  return true;
}
static_assert(all_are_bytes(kEnglish, 4) && all_are_bytes(kChinese, 6));

}  // namespace

std::span<const std::string_view> english_prompt_words() { return kEnglish; }
std::span<const std::string_view> chinese_prompt_words() { return kChinese; }

}  // namespace hussar
