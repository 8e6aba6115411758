namespace PostTrain.Text.Chat.Jinja;

/// <summary>Parses expressions with Jinja's precedences: if-else, or, and, not, comparison, + and −, ~, * / // %, **, sign, filters and
/// tests.</summary>
internal sealed class ExpressionParser(TokenStream tokens)
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];
    private readonly OperandParser operands = new(tokens);

    /// <summary>Reads one expression.</summary>
    internal Expression Read(bool withConditional = true) => tokens.Nested(() => withConditional ? ReadConditional() : ReadOr());

    /// <summary>Reads one expression, or several separated by commas, which form a tuple.</summary>
    internal Expression ReadTuple(bool withConditional = true)
    {
        var at = tokens.Current.Position;
        var first = Read(withConditional);
        if (!tokens.Current.IsOperator(","))
            return first;
        List<Expression> items = [first];
        while (tokens.SkipOperator(",") && !EndsTuple())
            items.Add(Read(withConditional));
        return new TupleExpression(at, [.. items]);
    }

    /// <summary>Reads a filter's name and arguments, applied to the result of a block.</summary>
    internal FilterExpression ReadBlockFilter() => (FilterExpression)operands.ReadFilters(operands.ReadFilter(null), this);

    /// <summary>Reads an operand with its suffixes, for the call of a call block.</summary>
    internal Expression ReadOperand() => operands.Read(this);

    private bool EndsTuple() =>
        tokens.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || tokens.Current.IsOperator(")") || tokens.Current.IsName("in");

    private Expression ReadConditional()
    {
        var result = ReadOr();
        for (var count = 0; tokens.Current.IsName("if"); tokens.Chain(ref count))
        {
            var at = tokens.Next().Position;
            var condition = ReadOr();
            result = new ConditionalExpression(at, result, condition, tokens.SkipName("else") ? tokens.Nested(ReadConditional) : null);
        }

        return result;
    }

    private Expression ReadOr()
    {
        var result = ReadAnd();
        for (var count = 0; tokens.Current.IsName("or"); tokens.Chain(ref count))
            result = new LogicalExpression(tokens.Next().Position, false, result, ReadAnd());
        return result;
    }

    private Expression ReadAnd()
    {
        var result = ReadNot();
        for (var count = 0; tokens.Current.IsName("and"); tokens.Chain(ref count))
            result = new LogicalExpression(tokens.Next().Position, true, result, ReadNot());
        return result;
    }

    private Expression ReadNot() =>
        tokens.Current.IsName("not") ? new NotExpression(tokens.Next().Position, tokens.Nested(ReadNot)) : ReadComparison();

    private Expression ReadComparison()
    {
        var at = tokens.Current.Position;
        var first = ReadSum();
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (tokens.Current.Kind == TokenKind.Operator && Comparisons.Contains(tokens.Current.Text))
            {
                at = tokens.Current.Position;
                rest.Add((tokens.Next().Text, ReadSum()));
            }
            else if (tokens.Current.IsName("in"))
            {
                at = tokens.Next().Position;
                rest.Add(("in", ReadSum()));
            }
            else if (tokens.Current.IsName("not") && tokens.Following.IsName("in"))
            {
                at = tokens.Next().Position;
                tokens.Next();
                rest.Add(("not in", ReadSum()));
            }
            else
            {
                return rest.Count == 0 ? first : new ComparisonExpression(at, first, [.. rest]);
            }
        }
    }

    private Expression ReadSum()
    {
        var result = ReadConcatenation();
        for (var count = 0; tokens.Current.IsOperator("+") || tokens.Current.IsOperator("-"); tokens.Chain(ref count))
        {
            var symbol = tokens.Next();
            result = new BinaryExpression(symbol.Position, symbol.Text, result, ReadConcatenation());
        }

        return result;
    }

    private Expression ReadConcatenation()
    {
        var at = tokens.Current.Position;
        List<Expression> parts = [ReadProduct()];
        while (tokens.SkipOperator("~"))
            parts.Add(ReadProduct());
        return parts.Count == 1 ? parts[0] : new ConcatenationExpression(at, [.. parts]);
    }

    private Expression ReadProduct()
    {
        var result = ReadPower();
        for (var count = 0; tokens.Current is { Kind: TokenKind.Operator, Text: "*" or "/" or "//" or "%" }; tokens.Chain(ref count))
        {
            var symbol = tokens.Next();
            result = new BinaryExpression(symbol.Position, symbol.Text, result, ReadPower());
        }

        return result;
    }

    // Jinja's powers are left-associative: 2 ** 3 ** 2 is 64.
    private Expression ReadPower()
    {
        var result = ReadSigned(withFilters: true);
        for (var count = 0; tokens.Current.IsOperator("**"); tokens.Chain(ref count))
            result = new BinaryExpression(tokens.Next().Position, "**", result, ReadSigned(withFilters: true));
        return result;
    }

    private Expression ReadSigned(bool withFilters)
    {
        if (!tokens.Current.IsOperator("-") && !tokens.Current.IsOperator("+"))
            return withFilters ? operands.ReadFilters(operands.Read(this), this) : operands.Read(this);
        var sign = tokens.Next();
        Expression result = new UnaryExpression(sign.Position, sign.Text, tokens.Nested(() => ReadSigned(withFilters: false)));
        return withFilters ? operands.ReadFilters(result, this) : result;
    }
}
