using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace PostTrain.Adapters;

/// <summary>A selection of modules: by names, by a regular expression over the whole name, or all linear layers except the output
/// projection.</summary>
/// <remarks>The rules are PEFT's. A listed name selects the module with this full name and every module whose name ends with it after a
/// dot: <c>q_proj</c> is the query projection of all layers. A list can be written as a collection expression.</remarks>
[CollectionBuilder(typeof(ModuleSelection), nameof(Named))]
public sealed class ModuleSelection : IEnumerable<string>
{
    // A pattern may come from a file and must not hang.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    private readonly string[] names;
    private readonly Regex? regex;

    private ModuleSelection(string[] names, string? pattern)
    {
        this.names = names;
        Pattern = pattern;
        if (pattern is not null)
            regex = WholeName(pattern);
    }

    /// <summary>Every linear layer except the output projection (QLoRA, Dettmers et al. 2023, arXiv:2305.14314, adapts all of
    /// them).</summary>
    public static ModuleSelection AllLinear { get; } = new([], null);

    /// <summary>The regular expression, or null if modules are listed.</summary>
    public string? Pattern { get; }

    /// <summary>True if nothing is listed and there is no pattern.</summary>
    internal bool IsEmpty => names.Length == 0 && regex is null && !IsAllLinear;

    internal bool IsAllLinear => ReferenceEquals(this, AllLinear);

    /// <summary>Selects the modules with these names, or with names that end with one of them after a dot.</summary>
    /// <exception cref="ArgumentException">A name is empty.</exception>
    public static ModuleSelection Named(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (string.IsNullOrEmpty(name))
                throw new ArgumentException("names holds an empty name, expected names of modules", nameof(names));
        }

        return new ModuleSelection(names.ToArray(), null);
    }

    /// <summary>Selects the modules whose whole name matches a regular expression.</summary>
    /// <exception cref="ArgumentException">The pattern is not a regular expression.</exception>
    public static ModuleSelection Matching(string pattern)
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        return new ModuleSelection([], pattern);
    }

    /// <summary>Returns the listed names.</summary>
    public IEnumerator<string> GetEnumerator() => ((IEnumerable<string>)names).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public override string ToString() => IsAllLinear ? "all-linear" : Pattern ?? $"[{string.Join(", ", names)}]";

    /// <summary>Returns true if a module with this name is selected; for <see cref="AllLinear"/> the caller checks that it is
    /// linear.</summary>
    internal bool Contains(string module)
    {
        if (regex is not null)
            return IsMatch(regex, module);
        foreach (var name in names)
        {
            if (
                module == name
                || (module.Length > name.Length && module.EndsWith(name, StringComparison.Ordinal) && module[^(name.Length + 1)] == '.')
            )
                return true;
        }

        return false;
    }

    /// <summary>Returns the first key of a pattern dictionary that matches a module: a regular expression of the end of the name, after a
    /// dot.</summary>
    internal static string? KeyFor(IEnumerable<string> keys, string module) =>
        keys.FirstOrDefault(key => IsMatch(WholeName($"(.*\\.)?({key})"), module));

    /// <summary>Returns the number after the layers' name, as in <c>model.layers.3.mlp</c>; null if there is none.</summary>
    internal static int? LayerOf(string module, IReadOnlyList<string> patterns)
    {
        foreach (var pattern in patterns.Count > 0 ? patterns : ["[^.]*"])
        {
            if (
                Match(Expression($"\\A.*\\.{pattern}\\.(\\d+)\\."), module) is { Success: true } match
                && int.TryParse(match.Groups[^1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture, out var layer)
            )
                return layer;
        }

        return null;
    }

    private static Regex WholeName(string pattern) => Expression($"\\A(?:{pattern})\\z");

    // Python writes named groups with a P.
    private static Regex Expression(string pattern)
    {
        try
        {
            return new Regex(pattern.Replace("(?P<", "(?<", StringComparison.Ordinal), RegexOptions.CultureInvariant, Limit);
        }
        catch (RegexParseException exception)
        {
            throw new ArgumentException($"'{pattern}' is not a regular expression: {exception.Message}", nameof(pattern), exception);
        }
    }

    private static bool IsMatch(Regex regex, string module) => Match(regex, module).Success;

    private static Match Match(Regex regex, string module)
    {
        try
        {
            return regex.Match(module);
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new ArgumentException(
                $"the regular expression '{regex}' takes more than {Limit.TotalSeconds:F0} s on the module name '{module}'",
                nameof(regex),
                exception
            );
        }
    }
}
