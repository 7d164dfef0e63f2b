#include "base/config_reference.h"

#include <fmt/format.h>

#include <type_traits>

#include "base/config_schema.h"

namespace telltale {
namespace {

constexpr std::string_view kIntroduction =
    R"(# telltale.yaml

One file for every process of one installation. `telltale init` writes it with every key and its
value; a key that is not there has its default. A process reads it once, when it starts: `telltale
serve` again after a change.

This page is what `telltale config reference` prints.

## Where a value comes from

The first of these that gives one:

1. `--set section.key=value` of the commands that take it, once for each key
2. the variable `TELLTALE_<SECTION>_<NAME>` of the process, such as `TELLTALE_MQTT_PORT`; those of
   `telltale serve` hold for every process it starts
3. the file
4. the default

Relative paths, wherever they are given, are relative to the file's folder. Keys marked *fixed by
init* decide how data is stored: a variable or `--set` that says something else than the file is
refused.

## Mistakes

```
telltale config check --dir DIR      # or: telltale config check FILE
telltale config show --dir DIR       # each value, and where it came from
```

`check` prints every mistake on a line of its own, with file and line and, for a name that is
nearly right, the right one; it ends with 1 if there are any. No process starts with a mistake in
its configuration. Mistakes are: an unknown section, key or `TELLTALE_*` variable that looks like a
key, a key given twice, a value of another type or out of bounds, a tab as indentation, and:

- `log.shards` above `log.partitions`
- `log.backend` kafka without `kafka.brokers`
- a `tls_certificate` without its `tls_key`, or the other way round
- `feed.listen` or `operations.listen` that is not a loopback address (`127.0.0.0/8`, `::1`,
  `localhost`) without `tls_certificate`, `tls_key` and `token_file` of the same section
- `control.listen` that is not a loopback address without `tls_certificate` and `tls_key`, or
  `control.client_ca` without them
)";

// What a number of bytes is to a reader: "64 MiB".
std::string Sized(const ConfigKey& key, std::uint64_t value) {
  if (!key.unit.starts_with("bytes") || value == 0) return fmt::format("{}", value);
  if (value % (1u << 30) == 0) return fmt::format("{} ({} GiB)", value, value >> 30);
  if (value % (1u << 20) == 0) return fmt::format("{} ({} MiB)", value, value >> 20);
  if (value % (1u << 10) == 0) return fmt::format("{} ({} KiB)", value, value >> 10);
  return fmt::format("{}", value);
}

std::string AllowedCell(const ConfigKey& key) {
  switch (key.kind) {
    case ConfigKind::kText:
      return "text";
    case ConfigKind::kPath:
      return "path or empty";
    case ConfigKind::kChoice:
      return fmt::format("`{}`", fmt::join(key.choices, "`, `"));
    case ConfigKind::kNumber:
      return fmt::format("{} to {}{}{}", Sized(key, key.low), Sized(key, key.high),
                         key.unit.empty() ? "" : " ", key.unit);
  }
  return {};
}

std::string DefaultCell(const ConfigKey& key) {
  const Config fresh;
  const std::string text = ConfigText(key, fresh);
  if (key.kind == ConfigKind::kNumber) {
    return std::visit(
        [&](auto member) -> std::string {
          if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(fresh.*member)>>) {
            return Sized(key, static_cast<std::uint64_t>(fresh.*member));
          } else {
            return {};
          }
        },
        key.member);
  }
  return text.empty() ? "empty" : fmt::format("`{}`", text);
}

}  // namespace

std::string ConfigReference() {
  std::string page(kIntroduction);
  std::string_view section = "-";
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section != section) {
      section = key.section;
      page += section.empty() ? "\n## Without a section\n" : fmt::format("\n## {}\n", section);
      page +=
          "\n| Key | Meaning | Allowed | Default | Variable | Changes | Since |\n"
          "|---|---|---|---|---|---|---|\n";
    }
    page += fmt::format("| `{}` | {} | {} | {} | `{}` | {} | {} |\n", key.FullName(), key.meaning,
                        AllowedCell(key), DefaultCell(key), key.EnvironmentName(),
                        key.fixed_by_init ? "fixed by init" : "at the next start", key.since);
  }
  return page;
}

}  // namespace telltale
