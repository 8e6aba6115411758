namespace PostTrain.Text.Chat.Jinja;

/// <summary>The parser's position in the tokens and its nesting depth.</summary>
internal sealed class TokenStream(SourceText source, List<Token> tokens)
{
    // Far more than any template needs, far less than the stack allows.
    private const int MaximumNesting = 100;

    // A chain of operators gives a tree as deep as its length.
    private const int MaximumChain = 400;

    private int at;
    private int nesting;

    internal Token Current => tokens[at];

    internal Token Following => tokens[Math.Min(at + 1, tokens.Count - 1)];

    /// <summary>The position in the tokens, for <see cref="NamesSince"/>.</summary>
    internal int Place => at;

    internal IReadOnlySet<string> NamesSince(int place) =>
        tokens[place..at].Where(token => token.Kind == TokenKind.Name).Select(token => token.Text).ToHashSet(StringComparer.Ordinal);

    internal Token Next() => tokens[at].Kind == TokenKind.End ? tokens[at] : tokens[at++];

    internal bool SkipOperator(string symbol) => Skip(Current.IsOperator(symbol));

    internal bool SkipName(string name) => Skip(Current.IsName(name));

    internal Token Expect(TokenKind kind, string expected) => Current.Kind == kind ? Next() : throw Unexpected(expected);

    internal void ExpectOperator(string symbol)
    {
        if (!SkipOperator(symbol))
            throw Unexpected($"'{symbol}'");
    }

    internal void ExpectName(string name)
    {
        if (!SkipName(name))
            throw Unexpected($"'{name}'");
    }

    internal TemplateException Unexpected(string expected) => Error(Current.Position, $"found {Current.Description}, expected {expected}");

    internal TemplateException Error(int position, string reason) => source.Error(position, reason);

    /// <summary>Parses an element that can contain elements of its own kind.</summary>
    internal T Nested<T>(Func<T> parse)
    {
        if (++nesting > MaximumNesting)
            throw Error(Current.Position, $"nested deeper than {MaximumNesting} levels");
        var result = parse();
        nesting--;
        return result;
    }

    /// <summary>Counts an operator of a chain.</summary>
    internal void Chain(ref int count)
    {
        if (++count > MaximumChain)
            throw Error(Current.Position, $"more than {MaximumChain} operators in a row");
    }

    private bool Skip(bool isThere)
    {
        if (isThere)
            Next();
        return isThere;
    }
}
