namespace PostTrain.Text.Chat.Jinja;

/// <summary>Parses a template's data and tags into statements.</summary>
internal sealed class StatementParser
{
    private static readonly string[] Refused = ["include", "import", "from", "extends", "block", "do", "trans", "autoescape"];

    private readonly TokenStream tokens;
    private readonly ExpressionParser expressions;
    private readonly TargetParser targets;
    private int loops;

    private StatementParser(TokenStream tokens)
    {
        this.tokens = tokens;
        expressions = new ExpressionParser(tokens);
        targets = new TargetParser(tokens);
    }

    /// <summary>True if the template has a generation block.</summary>
    internal bool HasGeneration { get; private set; }

    internal static (Statement[] Body, bool HasGeneration) Read(SourceText source)
    {
        var parser = new StatementParser(new TokenStream(source, Lexer.Read(source)));
        return (parser.ReadBody(), parser.HasGeneration);
    }

    // Reads up to a tag that begins with one of the names, whose name is then the current token; without names up to the end.
    private Statement[] ReadBody(params string[] ends)
    {
        List<Statement> body = [];
        while (true)
        {
            var token = tokens.Current;
            switch (token.Kind)
            {
                case TokenKind.End when ends.Length == 0:
                    return [.. body];
                case TokenKind.Data:
                    tokens.Next();
                    body.Add(new DataStatement(token.Position, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    tokens.Next();
                    body.Add(new PrintStatement(token.Position, expressions.ReadTuple()));
                    tokens.Expect(TokenKind.VariableEnd, "'}}'");
                    break;
                case TokenKind.BlockBegin when tokens.Following is { Kind: TokenKind.Name } name && ends.Contains(name.Text):
                    tokens.Next();
                    return [.. body];
                case TokenKind.BlockBegin:
                    tokens.Next();
                    body.Add(tokens.Nested(() => ReadTag(token.Position)));
                    tokens.Expect(TokenKind.BlockEnd, "the end of the tag");
                    break;
                default:
                    throw tokens.Unexpected($"{{% {string.Join(" %} or {% ", ends)} %}}");
            }
        }
    }

    private Statement ReadTag(int at)
    {
        var name = tokens.Expect(TokenKind.Name, "the name of a statement");
        return name.Text switch
        {
            "if" => ReadIf(at),
            "for" => ReadFor(at),
            "set" => ReadSet(at),
            "with" => ReadWith(at),
            "macro" => ReadMacro(at),
            "call" => ReadCall(at),
            "filter" => ReadFilter(at),
            "generation" => ReadGeneration(at),
            "break" => loops > 0 ? new BreakStatement(at) : throw tokens.Error(name.Position, "'break' outside of a loop"),
            "continue" => loops > 0 ? new ContinueStatement(at) : throw tokens.Error(name.Position, "'continue' outside of a loop"),
            _ when Refused.Contains(name.Text) => throw tokens.Error(name.Position, $"the statement '{name.Text}' is not supported"),
            _ => throw tokens.Error(name.Position, $"unknown statement '{name.Text}'"),
        };
    }

    // Called after a tag's content. Reads the body and the end tag's name; the caller reads the rest of the end tag.
    private Statement[] ReadBlock(params string[] ends)
    {
        tokens.Expect(TokenKind.BlockEnd, "the end of the tag");
        return ReadBody(ends);
    }

    private Statement[] ReadWhole(string end)
    {
        var body = ReadBlock(end);
        tokens.ExpectName(end);
        return body;
    }

    private IfStatement ReadIf(int at)
    {
        List<(Expression, Statement[])> branches = [];
        do
        {
            var condition = expressions.ReadTuple(withConditional: false);
            branches.Add((condition, ReadBlock("elif", "else", "endif")));
        } while (tokens.SkipName("elif"));
        Statement[] otherwise = tokens.SkipName("else") ? ReadBlock("endif") : [];
        tokens.ExpectName("endif");
        return new IfStatement(at, [.. branches], otherwise);
    }

    private ForStatement ReadFor(int at)
    {
        var target = targets.Read();
        tokens.ExpectName("in");
        var items = expressions.ReadTuple(withConditional: false);
        var condition = tokens.SkipName("if") ? expressions.Read() : null;
        if (tokens.Current.IsName("recursive"))
            throw tokens.Error(tokens.Current.Position, "recursive loops are not supported");
        loops++;
        var body = ReadBlock("else", "endfor");
        loops--;
        Statement[] otherwise = tokens.SkipName("else") ? ReadBlock("endfor") : [];
        tokens.ExpectName("endfor");
        return new ForStatement(at, target, items, condition, body, otherwise);
    }

    private Statement ReadSet(int at)
    {
        var target = targets.Read(withAttribute: true);
        if (tokens.SkipOperator("="))
            return new SetStatement(at, target, expressions.ReadTuple());
        var filter = tokens.SkipOperator("|") ? expressions.ReadBlockFilter() : null;
        return new SetBlockStatement(at, target, filter, ReadWhole("endset"));
    }

    private WithStatement ReadWith(int at)
    {
        List<(Target, Expression)> assignments = [];
        while (tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0)
                tokens.ExpectOperator(",");
            var target = targets.ReadName();
            tokens.ExpectOperator("=");
            assignments.Add((target, expressions.Read()));
        }

        return new WithStatement(at, [.. assignments], ReadWhole("endwith"));
    }

    private MacroStatement ReadMacro(int at)
    {
        var name = tokens.Expect(TokenKind.Name, "the name of the macro").Text;
        return new MacroStatement(at, ReadDefinition(name, targets.ReadParameters(expressions), "endmacro"));
    }

    private CallStatement ReadCall(int at)
    {
        var parameters = tokens.Current.IsOperator("(") ? targets.ReadParameters(expressions) : [];
        var position = tokens.Current.Position;
        if (expressions.ReadOperand() is not CallExpression call)
            throw tokens.Error(position, "expected the call of a macro");
        return new CallStatement(at, call, ReadDefinition("caller", parameters, "endcall"));
    }

    private MacroDefinition ReadDefinition(string name, (string, Expression?)[] parameters, string end)
    {
        var place = tokens.Place;
        var body = OutsideLoops(end);
        return new MacroDefinition(name, parameters, body, tokens.NamesSince(place));
    }

    private FilterStatement ReadFilter(int at) => new(at, expressions.ReadBlockFilter(), ReadWhole("endfilter"));

    private GenerationStatement ReadGeneration(int at)
    {
        HasGeneration = true;
        return new GenerationStatement(at, OutsideLoops("endgeneration"));
    }

    // These bodies are separate functions; break and continue cannot leave them.
    private Statement[] OutsideLoops(string end)
    {
        var outer = loops;
        loops = 0;
        var body = ReadWhole(end);
        loops = outer;
        return body;
    }
}
