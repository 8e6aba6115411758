namespace PostTrain.Text.Chat.Jinja;

/// <summary>Parses names, literals and parentheses with their suffixes: attributes, items, calls, filters, tests.</summary>
internal sealed class OperandParser(TokenStream tokens)
{
    private readonly ArgumentParser arguments = new(tokens);

    internal Expression Read(ExpressionParser expressions)
    {
        var result = ReadPrimary(expressions);
        for (var count = 0; ; tokens.Chain(ref count))
        {
            var at = tokens.Current.Position;
            if (tokens.SkipOperator("."))
                result = ReadAttribute(at, result);
            else if (tokens.SkipOperator("["))
                result = ReadItem(at, result, expressions);
            else if (tokens.Current.IsOperator("("))
                result = new CallExpression(at, result, arguments.Read(expressions));
            else
                return result;
        }
    }

    /// <summary>Reads filters, tests and calls after an operand.</summary>
    internal Expression ReadFilters(Expression input, ExpressionParser expressions)
    {
        for (var count = 0; ; tokens.Chain(ref count))
        {
            if (tokens.SkipOperator("|"))
                input = ReadFilter(input, expressions);
            else if (tokens.Current.IsName("is"))
                input = ReadTest(input, expressions);
            else if (tokens.Current.IsOperator("("))
                input = new CallExpression(tokens.Current.Position, input, arguments.Read(expressions));
            else
                return input;
        }
    }

    internal FilterExpression ReadFilter(Expression? input, ExpressionParser? expressions = null)
    {
        var name = tokens.Expect(TokenKind.Name, "the name of a filter");
        var given = tokens.Current.IsOperator("(") ? arguments.Read(expressions ?? new ExpressionParser(tokens)) : ArgumentList.None;
        return new FilterExpression(name.Position, input, name.Text, given);
    }

    private TestExpression ReadTest(Expression input, ExpressionParser expressions)
    {
        tokens.ExpectName("is");
        var negated = tokens.SkipName("not");
        var name = tokens.Expect(TokenKind.Name, "the name of a test");
        var given = ArgumentList.None;
        if (tokens.Current.IsOperator("("))
            given = arguments.Read(expressions);
        else if (BeginsArgument())
            given = new ArgumentList([tokens.Nested(() => Read(expressions))], [], null, null);
        return new TestExpression(name.Position, input, name.Text, given, negated);
    }

    private bool BeginsArgument() =>
        tokens.Current.Kind switch
        {
            TokenKind.Name when tokens.Current.IsName("is") => throw tokens.Error(
                tokens.Current.Position,
                "tests cannot be chained with 'is'"
            ),
            TokenKind.Name => tokens.Current.Text is not ("else" or "or" or "and"),
            TokenKind.Text or TokenKind.Number => true,
            _ => tokens.Current.IsOperator("[") || tokens.Current.IsOperator("{"),
        };

    private Expression ReadAttribute(int at, Expression target)
    {
        var token = tokens.Current;
        if (token.Kind == TokenKind.Name)
            return new AttributeExpression(at, target, tokens.Next().Text);
        if (token is { Kind: TokenKind.Number, Number: long index })
        {
            tokens.Next();
            return new ItemExpression(at, target, new LiteralExpression(token.Position, index));
        }

        throw tokens.Unexpected("the name of an attribute");
    }

    private Expression ReadItem(int at, Expression target, ExpressionParser expressions)
    {
        var start = tokens.Current.IsOperator(":") ? null : expressions.Read();
        if (start is not null && tokens.Current.IsOperator(","))
            throw tokens.Error(tokens.Current.Position, "several indices are not supported");
        if (!tokens.SkipOperator(":"))
        {
            tokens.ExpectOperator("]");
            return new ItemExpression(at, target, start!);
        }

        Expression? ReadPart() => tokens.Current.IsOperator(":") || tokens.Current.IsOperator("]") ? null : expressions.Read();
        var stop = ReadPart();
        var step = tokens.SkipOperator(":") ? ReadPart() : null;
        tokens.ExpectOperator("]");
        return new SliceExpression(at, target, start, stop, step);
    }

    private Expression ReadPrimary(ExpressionParser expressions)
    {
        var token = tokens.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new LiteralExpression(token.Position, true),
                    "false" or "False" => new LiteralExpression(token.Position, false),
                    "none" or "None" => new LiteralExpression(token.Position, null),
                    _ => new NameExpression(token.Position, token.Text),
                };
            case TokenKind.Number:
                return new LiteralExpression(token.Position, token.Number);
            case TokenKind.Text:
                var text = token.Text;
                while (tokens.Current.Kind == TokenKind.Text)
                    text += tokens.Next().Text;
                return new LiteralExpression(token.Position, text);
            default:
                return token.IsOperator("(") ? ReadParentheses(token.Position, expressions)
                    : token.IsOperator("[") ? new ListExpression(token.Position, ReadList(expressions, "]"))
                    : token.IsOperator("{") ? ReadDict(token.Position, expressions)
                    : throw tokens.Error(token.Position, $"found {token.Description}, expected an expression");
        }
    }

    private Expression ReadParentheses(int at, ExpressionParser expressions)
    {
        if (tokens.SkipOperator(")"))
            return new TupleExpression(at, []);
        var result = expressions.ReadTuple();
        tokens.ExpectOperator(")");
        return result;
    }

    private Expression[] ReadList(ExpressionParser expressions, string close)
    {
        List<Expression> items = [];
        while (!tokens.SkipOperator(close))
        {
            if (items.Count > 0)
                tokens.ExpectOperator(",");
            if (tokens.SkipOperator(close))
                break;
            items.Add(expressions.Read());
        }

        return [.. items];
    }

    private DictExpression ReadDict(int at, ExpressionParser expressions)
    {
        List<(Expression, Expression)> entries = [];
        while (!tokens.SkipOperator("}"))
        {
            if (entries.Count > 0)
                tokens.ExpectOperator(",");
            if (tokens.SkipOperator("}"))
                break;
            var key = expressions.Read();
            tokens.ExpectOperator(":");
            entries.Add((key, expressions.Read()));
        }

        return new DictExpression(at, [.. entries]);
    }
}
