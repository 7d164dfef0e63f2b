#include "sim/drives/dbc.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/drives/csv.h"
#include "sim/drives/lines.h"

namespace telltale::sim {
namespace {

constexpr std::uint32_t kExtendedFlag = 0x80000000u;
constexpr unsigned kStartBitMax = 8 * 4096;
constexpr int kNestingMax = 8;

// The words and punctuation of one line, from the left.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  // Up to a blank or one of `stops`, which is taken off too.
  std::string_view Next(std::string_view stops = "") {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != ' ' && rest_[end] != '\t' &&
           stops.find(rest_[end]) == std::string_view::npos) {
      ++end;
    }
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }
  template <typename T>
  bool Whole(T& value, std::string_view stops = "") {
    const std::string_view word = Next(stops);
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    return error == std::errc() && end == word.data() + word.size();
  }
  bool Number(double& value, std::string_view stops) {
    const auto number = NumberOf(Next(stops));
    value = number.value_or(0);
    return number.has_value();
  }
  // Takes off `c` after blanks; false: something else stands there.
  bool Skip(char c) {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

 private:
  std::string_view rest_;
};

// "BO_ 2364540158 EEC1: 8 Vector__XXX", behind its keyword.
std::optional<DbcMessage> ParseMessage(Words words) {
  DbcMessage message;
  std::uint32_t id = 0;
  if (!words.Whole(id)) return std::nullopt;
  message.name = words.Next(":");
  if (!message.name.empty() && !words.Whole(message.bytes)) {
    // "NAME : 8": the colon stands alone.
    if (!words.Whole(message.bytes)) return std::nullopt;
  }
  message.is_extended = (id & kExtendedFlag) != 0;
  message.id = id & ~kExtendedFlag;
  if (message.name.empty()) return std::nullopt;
  return message;
}

// "M", "m98" or "m98M".
bool ParseLayout(std::string_view word, DbcSignal& signal) {
  if (word.ends_with('M')) {
    signal.is_multiplexor = true;
    word.remove_suffix(1);
  }
  if (word.empty()) return true;
  std::uint64_t layout = 0;
  if (!word.starts_with('m')) return false;
  const auto [end, error] = std::from_chars(word.data() + 1, word.data() + word.size(), layout);
  signal.layout = layout;
  return error == std::errc() && end == word.data() + word.size();
}

// " SG_ response m98M : 23|16@0+ (1,0) [0|0] "unit" Vector__XXX", behind its keyword.
std::optional<DbcSignal> ParseSignal(Words words) {
  DbcSignal signal;
  signal.name = words.Next(":");
  if (signal.name.empty()) return std::nullopt;
  if (!words.Skip(':')) {
    const std::string_view layout = words.Next(":");
    // Neither a colon behind the name nor a layout: the colon was joined to the name.
    if (!layout.empty() && (layout[0] == 'm' || layout[0] == 'M')) {
      if (!ParseLayout(layout, signal)) return std::nullopt;
      words.Skip(':');
    } else {
      return std::nullopt;
    }
  }
  if (!words.Whole(signal.start_bit, "|") || !words.Whole(signal.bits, "@")) return std::nullopt;
  const std::string_view order = words.Next();
  if (order.size() != 2 || (order[0] != '0' && order[0] != '1')) return std::nullopt;
  signal.is_big_endian = order[0] == '0';
  signal.is_signed = order[1] == '-';
  if (!words.Skip('(') || !words.Number(signal.factor, ",") || !words.Number(signal.offset, ")") ||
      !words.Skip('[') || !words.Number(signal.min, "|") || !words.Number(signal.max, "]")) {
    return std::nullopt;
  }
  if (words.Skip('"')) signal.unit = words.Next("\"");
  const bool fits = signal.bits >= 1 && signal.bits <= 64 && signal.start_bit <= kStartBitMax;
  return fits ? std::optional(std::move(signal)) : std::nullopt;
}

DbcSignal* FindSignal(std::vector<DbcMessage>& messages, std::uint32_t file_id,
                      std::string_view name) {
  for (DbcMessage& message : messages) {
    const std::uint32_t own = message.id | (message.is_extended ? kExtendedFlag : 0);
    if (own != file_id) continue;
    for (DbcSignal& signal : message.signals) {
      if (signal.name == name) return &signal;
    }
  }
  return nullptr;
}

// "SG_MUL_VAL_ 2028 StateOfCharge response 257-257, 300-301;", behind its keyword.
bool ParseLayouts(Words words, std::vector<DbcMessage>& messages) {
  std::uint32_t id = 0;
  if (!words.Whole(id)) return false;
  const std::string_view name = words.Next();
  const std::string_view multiplexor = words.Next();
  DbcSignal* signal = FindSignal(messages, id, name);
  if (signal == nullptr) return false;
  signal->multiplexor = multiplexor;
  while (true) {
    std::string_view range = words.Next(",;");
    if (range.empty()) return !signal->layouts.empty();
    const std::size_t dash = range.find('-');
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    if (dash == std::string_view::npos || !Words(range.substr(0, dash)).Whole(from) ||
        !Words(range.substr(dash + 1)).Whole(to)) {
      return false;
    }
    signal->layouts.emplace_back(from, to);
  }
}

// `BA_ "SPN" SG_ 2364540158 EngineSpeed 190;`, behind its keyword. Other attributes are passed
// over.
void ParseAttribute(Words words, std::vector<DbcMessage>& messages) {
  std::uint32_t id = 0;
  std::uint32_t spn = 0;
  if (words.Next() != "\"SPN\"" || words.Next() != "SG_" || !words.Whole(id)) return;
  DbcSignal* signal = FindSignal(messages, id, words.Next());
  if (signal != nullptr && words.Whole(spn, ";")) signal->spn = spn;
}

}  // namespace

std::optional<std::uint64_t> DbcSignal::RawIn(std::span<const std::uint8_t> data) const {
  std::uint64_t raw = 0;
  unsigned at = start_bit;
  for (unsigned i = 0; i < bits; ++i) {
    if (at / 8 >= data.size()) return std::nullopt;
    const std::uint64_t bit = (data[at / 8] >> (at % 8)) & 1u;
    if (is_big_endian) {
      raw = (raw << 1) | bit;
      at = at % 8 == 0 ? at + 15 : at - 1;
    } else {
      raw |= bit << i;
      ++at;
    }
  }
  return raw;
}

std::optional<double> DbcSignal::ValueIn(std::span<const std::uint8_t> data) const {
  const auto raw = RawIn(data);
  if (!raw) return std::nullopt;
  const bool is_negative = is_signed && ((*raw >> (bits - 1)) & 1) != 0;
  const std::uint64_t beyond = bits == 64 ? 0 : ~std::uint64_t{0} << bits;
  const double number = is_negative ? static_cast<double>(static_cast<std::int64_t>(*raw | beyond))
                                    : static_cast<double>(*raw);
  return number * factor + offset;
}

const DbcSignal* DbcMessage::Find(std::string_view signal) const {
  for (const DbcSignal& known : signals) {
    if (known.name == signal) return &known;
  }
  return nullptr;
}

bool DbcMessage::Has(const DbcSignal& signal, std::span<const std::uint8_t> data) const {
  const DbcSignal* at = &signal;
  // A multiplexor may itself belong to a layout.
  for (int depth = 0; at->layout; ++depth) {
    const DbcSignal* multiplexor = nullptr;
    for (const DbcSignal& known : signals) {
      const bool is_named = known.name == at->multiplexor;
      const bool is_root = known.is_multiplexor && !known.layout;
      if (at->multiplexor.empty() ? is_root : is_named) multiplexor = &known;
    }
    const auto reads = multiplexor == nullptr ? std::nullopt : multiplexor->RawIn(data);
    if (!reads || depth == kNestingMax) return false;
    bool matches = at->layouts.empty() && *reads == *at->layout;
    for (const auto& [from, to] : at->layouts) matches |= *reads >= from && *reads <= to;
    if (!matches) return false;
    at = multiplexor;
  }
  return true;
}

Result<Dbc> Dbc::Parse(std::string_view text) {
  Dbc dbc;
  std::size_t bad_line = 0;
  bool is_inside_text = false;  // a comment runs over several lines
  ForEachLine(text, [&](std::string_view line, std::size_t number) {
    const bool is_odd = std::count(line.begin(), line.end(), '"') % 2 != 0;
    const bool was_inside = std::exchange(is_inside_text, is_inside_text != is_odd);
    if (was_inside || bad_line != 0) return;
    Words words(line);
    const std::string_view keyword = words.Next();
    bool is_good = true;
    if (keyword == "BO_") {
      auto message = ParseMessage(words);
      is_good = message.has_value();
      if (is_good) dbc.messages_.push_back(std::move(*message));
    } else if (keyword == "SG_") {
      auto signal = ParseSignal(words);
      is_good = signal.has_value() && !dbc.messages_.empty();
      if (is_good) dbc.messages_.back().signals.push_back(std::move(*signal));
    } else if (keyword == "SG_MUL_VAL_") {
      // Alone on its line it stands in the list of keywords.
      if (line != keyword && !line.starts_with('\t') && !line.starts_with(' ')) {
        is_good = ParseLayouts(words, dbc.messages_);
      }
    } else if (keyword == "BA_" && line.starts_with("BA_ \"SPN\"")) {
      ParseAttribute(words, dbc.messages_);
    }
    if (!is_good) bad_line = number;
  });
  if (bad_line != 0) return Error{Code::kInvalid, fmt::format("line {} cannot be read", bad_line)};
  return dbc;
}

const DbcMessage* Dbc::Find(std::uint32_t id, bool is_extended) const {
  for (const DbcMessage& message : messages_) {
    if (message.id == id && message.is_extended == is_extended) return &message;
  }
  return nullptr;
}

const DbcMessage* Dbc::Find(std::string_view name) const {
  for (const DbcMessage& message : messages_) {
    if (message.name == name) return &message;
  }
  return nullptr;
}

}  // namespace telltale::sim
