namespace PostTrain.Text.Chat.Jinja;

/// <summary>Parses the arguments of a call, filter or test.</summary>
internal sealed class ArgumentParser(TokenStream tokens)
{
    internal ArgumentList Read(ExpressionParser expressions)
    {
        tokens.ExpectOperator("(");
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        Expression? sequence = null,
            mapping = null;
        for (var first = true; !tokens.SkipOperator(")"); first = false)
        {
            if (!first)
                tokens.ExpectOperator(",");
            if (tokens.SkipOperator(")"))
                break;
            var at = tokens.Current.Position;
            if (tokens.SkipOperator("**"))
                mapping = mapping is null ? expressions.Read() : throw tokens.Error(at, "a second **");
            else if (tokens.SkipOperator("*"))
                sequence = sequence is null && mapping is null ? expressions.Read() : throw tokens.Error(at, "a * after a * or **");
            else if (tokens.Current.Kind == TokenKind.Name && tokens.Following.IsOperator("="))
                named.Add((ReadName(), expressions.Read()));
            else if (named.Count == 0 && sequence is null && mapping is null)
                positional.Add(expressions.Read());
            else
                throw tokens.Error(at, "a positional argument after a named one");
        }

        return new ArgumentList([.. positional], [.. named], sequence, mapping);
    }

    private string ReadName()
    {
        var name = tokens.Next().Text;
        tokens.ExpectOperator("=");
        return name;
    }
}
