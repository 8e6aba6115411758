using System.Globalization;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>The path in the attribute argument of a filter: an index, or names and indices separated by dots.</summary>
internal static class AttributePath
{
    internal static object? Get(Run run, object? value, object? path, object? fallback = null)
    {
        run.Charge();
        if (path is not string names)
            return Members.Item(run, value, path);
        foreach (var part in names.Split('.'))
        {
            run.Charge();
            object? index =
                part.Length > 0
                && part.All(char.IsAsciiDigit)
                && long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var place)
                    ? place
                    : part;
            value = Members.Item(run, value, index);
            if (value is Undefined && fallback is not null)
                return fallback;
        }

        return value;
    }
}
