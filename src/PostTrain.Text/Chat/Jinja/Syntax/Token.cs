namespace PostTrain.Text.Chat.Jinja;

internal enum TokenKind
{
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    Text,
    Number,
    Operator,
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Text">The data, name or operator, or the value of a string literal.</param>
/// <param name="Position">Its position in the source.</param>
/// <param name="Number">The value of a number: long or double.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Position, object? Number = null)
{
    internal bool Is(TokenKind kind, string text) => Kind == kind && Text == text;

    internal bool IsName(string name) => Is(TokenKind.Name, name);

    internal bool IsOperator(string symbol) => Is(TokenKind.Operator, symbol);

    /// <summary>The token's description in messages.</summary>
    internal string Description =>
        Kind switch
        {
            TokenKind.Data => "text",
            TokenKind.VariableBegin => "'{{'",
            TokenKind.VariableEnd => "'}}'",
            TokenKind.BlockBegin => "'{%'",
            TokenKind.BlockEnd => "the end of the tag",
            TokenKind.Text => "a string",
            TokenKind.Number => "a number",
            TokenKind.End => "the end of the template",
            _ => $"'{Text}'",
        };
}
