using System.Text.RegularExpressions;

namespace PostTrain.Torch.Tests.Api;

/// <summary>A listing of an API (A), asked whether source that compiles against other lines (B) also compiles against it.</summary>
/// <remarks>A member of B may lie on a base type in A, a property may lack an accessor that A has, a type may have fewer bases or be sealed, and nullability marks,
/// names of type parameters and override or virtual are no difference in themselves. All else is: names of parameters, defaults, static, params, ref kinds, constraints.</remarks>
internal sealed class ApiListing
{
    private readonly Dictionary<string, Line> types = [];
    private readonly HashSet<string> exact = [];
    private readonly List<Line> lines = [];

    // Key of the type and normal form of the member.
    private readonly Dictionary<string, Entry> members = [];

    // Key of the type and name of the member, for the report.
    private readonly Dictionary<string, List<string>> byName = [];

    internal ApiListing(IEnumerable<string> texts)
    {
        foreach (var text in texts)
        {
            if (Parse(text) is not { } line) continue;
            exact.Add(text);
            lines.Add(line);
            var key = Key(line.Type);
            if (line.Kind == "type")
            {
                types[key] = line;
                continue;
            }
            var (norm, entry) = Normal(line);
            members[key + " " + norm] = entry;
            var name = key + " " + MemberName(line);
            if (!byName.TryGetValue(name, out var list)) byName[name] = list = [];
            list.Add(text);
        }
    }

    /// <summary>What of the given lines source could not use against this listing: one text each, with the reason and what the listing has instead.</summary>
    internal List<string> Missing(IEnumerable<string> texts)
    {
        var problems = new List<string>();
        foreach (var text in texts)
        {
            if (exact.Contains(text) || Parse(text) is not { } line) continue;
            var near = new List<string>();
            var why = line.Kind == "type" ? TypeWhy(line) : MemberWhy(line, near);
            if (why is not null) problems.Add(string.Join("\n    listed: ", near.Take(4).Prepend($"{why}: {text}")));
        }
        return problems;
    }

    /// <summary>The listing's lines that questions about the given lines need: those of their types and of these types' bases.</summary>
    internal List<string> Needed(IEnumerable<string> texts)
    {
        var wanted = texts.Select(Parse).OfType<Line>().SelectMany(line => Chain(Key(line.Type))).ToHashSet();
        return [.. lines.Where(line => wanted.Contains(Key(line.Type))).Select(line => line.Text)];
    }

    private string? MemberWhy(Line l, List<string> near)
    {
        if (!types.ContainsKey(Key(l.Type))) return "no such type in the listing";
        if (Regex.IsMatch(l.Tail, @"^public override (string[!^]? ToString\(\)|int GetHashCode\(\)|bool Equals\(object)")) return null;   // every type has these
        var (norm, mine) = Normal(l);
        foreach (var t in Chain(Key(l.Type)))
        {
            if (!members.TryGetValue(t + " " + norm, out var theirs)) continue;
            near.Add(theirs.Line.Text);
            if (mine.Overridable && !theirs.Overridable) return "can be overridden, not so in the listing";
            if (theirs.Abstract && !mine.Abstract && t == Key(l.Type) && !types[t].Tail.Contains(" interface ")) return "abstract in the listing";
            if (!mine.Accessors.Split(' ', StringSplitOptions.RemoveEmptyEntries).All(x => theirs.Accessors.Split(' ').Contains(x))) return "has an accessor that the listing has not";
            near.Clear();
            return null;
        }
        foreach (var t in Chain(Key(l.Type)))
            if (byName.TryGetValue(t + " " + MemberName(l), out var list)) near.AddRange(list);
        return near.Count > 0 ? "differs from the listing" : "no such member in the listing";
    }

    /// <summary>A type of B may have fewer bases than A's, not more, and may be sealed where A's is not.</summary>
    private string? TypeWhy(Line l)
    {
        if (!types.TryGetValue(Key(l.Type), out var theirs)) return "no such type in the listing";
        var a = Plain(RenameTypeParameters(theirs)); var b = Plain(RenameTypeParameters(l));
        if (a == b) return null;
        if (a.Contains(" delegate ")) return $"delegate differs from the listing ({theirs.Tail})";
        if (Head(a) != Head(b).Replace("sealed ", "") && Head(a) != Head(b)) return $"type differs from the listing ({theirs.Tail})";
        var all = Chain(Key(l.Type)).SelectMany(t => types.TryGetValue(t, out var x) ? Bases(x.Tail) : []).Select(Key).ToHashSet();
        var extra = Bases(l.Tail).Where(x => !all.Contains(Key(x))).ToList();
        return extra.Count > 0 ? $"has a base that the listing's has not, {string.Join(", ", extra)} (listed: {theirs.Tail})" : null;
    }

    private static (string Norm, Entry Entry) Normal(Line l)
    {
        var s = Plain(RenameTypeParameters(l));
        bool sealedOverride = s.Contains(" sealed override ");
        bool isAbstract = Regex.IsMatch(s, @"^\S* ?abstract ");
        bool overridable = !sealedOverride && Regex.IsMatch(" " + s, @" (abstract|virtual|override) ");
        s = Regex.Replace(" " + s, @" (?:sealed override|abstract override|override|virtual|abstract) ", " ").TrimStart();
        string accessors = "";
        if (l.Kind is "property" or "indexer")
        {
            int i = s.LastIndexOf(" { ", StringComparison.Ordinal);
            accessors = s[(i + 3)..].Replace("}", "").Replace("protected internal ", "protected-internal-").Replace("protected ", "protected-").Trim();
            s = s[..i];
        }
        return (l.Kind + " " + s, new Entry(l, overridable, isAbstract, accessors));
    }

    private static Line? Parse(string text)
    {
        if (text.StartsWith('#')) return null;
        var p = text.Split(" | ", 3);
        return p.Length == 3 ? new Line(p[0], p[1], p[2], text) : null;
    }

    /// <summary>Without nullability marks (a mark never follows a space, an operator's sign does) and [Obsolete].</summary>
    private static string Plain(string s) => Regex.Replace(s, @"(?<=[\w>\])])[!^]", "").Replace(" [Obsolete]", "");

    private static string RenameTypeParameters(Line l)
    {
        var names = new List<string>();
        foreach (Match m in Regex.Matches(l.Type, "<([^<>]*)>")) names.AddRange(m.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries));
        if (l.Kind == "method" && Regex.Match(l.Tail, @"\w<([\w, ]+)>\(") is { Success: true } g) names.AddRange(g.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries));
        var s = l.Tail;
        for (int i = 0; i < names.Count; i++) s = Regex.Replace(s, $@"(?<![\w.#]){Regex.Escape(names[i])}(?![\w.])", "#" + i);
        return s;
    }

    /// <summary>A type's name by arity: Module&lt;T, TResult&gt; is Module`2.</summary>
    private static string Key(string type)
    {
        var sb = new System.Text.StringBuilder();
        int depth = 0, n = 0;
        foreach (var c in type)
        {
            if (c == '<') { if (depth++ == 0) n = 1; }
            else if (c == '>') { if (--depth == 0) sb.Append('`').Append(n); }
            else if (depth == 0) sb.Append(c);
            else if (c == ',' && depth == 1) n++;
        }
        return sb.ToString();
    }

    private IEnumerable<string> Chain(string key)
    {
        var queue = new Queue<string>([key]);
        var seen = new HashSet<string>();
        while (queue.Count > 0)
        {
            var k = queue.Dequeue();
            if (!seen.Add(k)) continue;
            yield return k;
            if (types.TryGetValue(k, out var l)) foreach (var b in Bases(l.Tail)) queue.Enqueue(Key(b));
        }
    }

    private static string Head(string tail) => Regex.Split(tail, @" : | where | \[Obsolete")[0];

    private static List<string> Bases(string tail)
    {
        var list = new List<string>();
        if (tail.Contains(" delegate ")) return list;
        int i = tail.IndexOf(" : ", StringComparison.Ordinal);
        if (i < 0) return list;
        var head = tail[..i];
        if (head.Contains(" where ")) return list;
        var rest = Regex.Split(tail[(i + 3)..], @" where | \[Obsolete")[0];
        int depth = 0, start = 0;
        for (int j = 0; j < rest.Length; j++)
        {
            if (rest[j] is '<' or '(' or '[') depth++;
            else if (rest[j] is '>' or ')' or ']') depth--;
            else if (rest[j] == ',' && depth == 0) { list.Add(rest[start..j].Trim()); start = j + 1; }
        }
        list.Add(rest[start..].Trim());
        return list;
    }

    private static string MemberName(Line l)
    {
        if (l.Kind == "indexer") return "this[]";
        if (Regex.Match(l.Tail, @"operator \S+(?=\()|(?:implicit|explicit) operator") is { Success: true } o) return o.Value.TrimEnd('(');
        var m = l.Kind switch
        {
            "method" or "ctor" => Regex.Match(l.Tail, @"(\w+)(?:<[\w, ]+>)?\((?=[^(]*|.*)"),
            "property" => Regex.Match(l.Tail, @"(\w+) \{ "),
            _ => Regex.Match(l.Tail, @"(\w+)(?: = .*)?(?: \[Obsolete.*)?$"),
        };
        if (l.Kind == "method")   // the first "name(" that is not a tuple type's bracket
            foreach (Match x in Regex.Matches(l.Tail, @"(\w+)(?:<[\w, ]+>)?\(")) { m = x; break; }
        return m.Groups[1].Value;
    }

    private sealed record Line(string Type, string Kind, string Tail, string Text);

    private sealed record Entry(Line Line, bool Overridable, bool Abstract, string Accessors);
}
