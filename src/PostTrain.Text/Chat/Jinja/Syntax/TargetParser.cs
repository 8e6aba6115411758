namespace PostTrain.Text.Chat.Jinja;

/// <summary>Parses assignment targets and the parameters of macros.</summary>
internal sealed class TargetParser(TokenStream tokens)
{
    /// <summary>Reads one name or several separated by commas; optionally an attribute of a namespace.</summary>
    internal Target Read(bool withAttribute = false)
    {
        var at = tokens.Current.Position;
        if (withAttribute && tokens.Following.IsOperator("."))
        {
            var owner = ReadName().Name;
            tokens.ExpectOperator(".");
            return new AttributeTarget(at, owner, tokens.Expect(TokenKind.Name, "the name of an attribute").Text);
        }

        var first = ReadPart();
        if (!tokens.Current.IsOperator(","))
            return first;
        List<Target> parts = [first];
        while (
            tokens.SkipOperator(",") && !tokens.Current.IsName("in") && !tokens.Current.IsOperator("=") && !tokens.Current.IsOperator(")")
        )
            parts.Add(ReadPart());
        return new TupleTarget(at, [.. parts]);
    }

    internal NameTarget ReadName()
    {
        var name = tokens.Expect(TokenKind.Name, "a name");
        return name.Text is "true" or "false" or "none" or "True" or "False" or "None"
            ? throw tokens.Error(name.Position, $"cannot assign to '{name.Text}'")
            : new NameTarget(name.Position, name.Text);
    }

    /// <summary>Reads the parameters of a macro or caller, in parentheses.</summary>
    internal (string Name, Expression? Default)[] ReadParameters(ExpressionParser expressions)
    {
        tokens.ExpectOperator("(");
        List<(string, Expression?)> parameters = [];
        while (!tokens.SkipOperator(")"))
        {
            if (parameters.Count > 0)
                tokens.ExpectOperator(",");
            var name = ReadName();
            var fallback = tokens.SkipOperator("=") ? expressions.Read() : null;
            if (fallback is null && parameters.Exists(parameter => parameter.Item2 is not null))
                throw tokens.Error(name.At, "a parameter without a default after one with a default");
            parameters.Add((name.Name, fallback));
        }

        return [.. parameters];
    }

    private Target ReadPart()
    {
        if (!tokens.SkipOperator("("))
            return ReadName();
        var inner = tokens.Nested(() => Read());
        tokens.ExpectOperator(")");
        return inner;
    }
}
