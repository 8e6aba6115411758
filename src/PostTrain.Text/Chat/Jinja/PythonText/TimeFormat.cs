using System.Globalization;
using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Python's <c>strftime</c> in the C locale.</summary>
internal static class TimeFormat
{
    internal static string Write(Run run, DateTime time, string format)
    {
        run.ChargeText(format.Length * 32L);
        var result = new StringBuilder();
        for (var at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                result.Append(format[at]);
                continue;
            }

            // "%-d" is "%d" without leading zeros.
            var unpadded = format[at + 1] == '-' && at + 2 < format.Length;
            at += unpadded ? 2 : 1;
            var text = Part(run, time, format[at]);
            result.Append(
                unpadded && text.Length > 1
                    ? text.TrimStart('0') is { Length: > 0 } digits
                        ? digits
                        : "0"
                    : text
            );
        }

        return result.ToString();
    }

    private static string Part(Run run, DateTime time, char directive)
    {
        string Text(string format) => time.ToString(format, CultureInfo.InvariantCulture);
        string Number(int value, int digits) => value.ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0');
        return directive switch
        {
            'Y' => Number(time.Year, 4),
            'y' => Number(time.Year % 100, 2),
            'm' => Number(time.Month, 2),
            'd' => Number(time.Day, 2),
            'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'H' => Number(time.Hour, 2),
            'I' => Number((time.Hour + 11) % 12 + 1, 2),
            'M' => Number(time.Minute, 2),
            'S' => Number(time.Second, 2),
            'f' => Number((int)(time.Ticks % TimeSpan.TicksPerSecond / 10), 6),
            'j' => Number(time.DayOfYear, 3),
            'u' => Number(((int)time.DayOfWeek + 6) % 7 + 1, 1),
            'w' => Number((int)time.DayOfWeek, 1),
            'p' => time.Hour < 12 ? "AM" : "PM",
            'a' => Text("ddd"),
            'A' => Text("dddd"),
            'b' or 'h' => Text("MMM"),
            'B' => Text("MMMM"),
            'F' => Text("yyyy-MM-dd"),
            'T' => Text("HH:mm:ss"),
            'R' => Text("HH:mm"),
            'D' or 'x' => Text("MM/dd/yy"),
            'X' => Text("HH:mm:ss"),
            'c' => Text("ddd MMM ") + time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + Text(" HH:mm:ss yyyy"),
            'n' => "\n",
            't' => "\t",
            'Z' or 'z' => "",
            '%' => "%",
            _ => throw run.Error($"strftime_now does not know %{directive}"),
        };
    }
}
