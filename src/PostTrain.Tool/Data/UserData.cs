using PostTrain.Data.Records;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tool;

/// <summary>Reads the user's records with a template, and selects those that fit a model.</summary>
public static class UserData
{
    /// <summary>The help text of the option <c>--template</c>.</summary>
    public const string TemplateHelp =
        "Template of instructions: plain, alpaca, r1-zero, chat (the model's own), or a format with {instruction} and {input}.";

    /// <summary>Returns the template with a name: <c>auto</c> (the model's own, or plain if it has none), <c>plain</c>, <c>alpaca</c>,
    /// <c>r1-zero</c>, <c>chat</c> (the model's own), or a format with <c>{instruction}</c> and <c>{input}</c>.</summary>
    public static InstructionTemplate Template(string name, string modelFolder) =>
        name switch
        {
            "auto" => HasChatTemplate(modelFolder) ? ChatOf(modelFolder) : InstructionTemplate.Plain,
            "plain" => InstructionTemplate.Plain,
            "alpaca" => InstructionTemplate.Alpaca,
            "r1-zero" => InstructionTemplate.R1Zero,
            "chat" => ChatOf(modelFolder),
            _ when name?.Contains("{instruction}", StringComparison.Ordinal) == true => InstructionTemplate.Format(name),
            _ => throw new ArgumentException(
                $"--template is '{name}', expected plain, alpaca, r1-zero, chat, or a format with {{instruction}} and optionally "
                    + $"{{input}}"
            ),
        };

    /// <summary>Selects the items that fit into a context and can be tokenized, and prints how many do not.</summary>
    /// <param name="items">The data.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="most">Maximum number of tokens of a text.</param>
    /// <param name="texts">The texts of an item, each of which must fit.</param>
    /// <param name="output">Takes the line that says how many do not; null: the standard output.</param>
    /// <exception cref="ArgumentException">Fewer than two items remain: one for training, one held out.</exception>
    public static Fitted<T> Fitting<T>(
        IReadOnlyList<T> items,
        ITokenizer tokenizer,
        int most,
        Func<T, IEnumerable<MarkedText>> texts,
        TextWriter? output = null
    )
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(texts);
        if (items.Count < 2)
            throw new ArgumentException($"the data have {items.Count} example, expected at least 2: one for training, one held out");
        if (most < 1)
            throw new ArgumentException("the model's context leaves no room for a prompt: use a smaller --tokens or --length");
        var fitting = new List<T>();
        int tooLong = 0,
            unspelt = 0,
            longest = 0,
            shortestLeftOut = int.MaxValue;
        string? reason = null;
        foreach (var item in items)
        {
            try
            {
                int length = texts(item).Max(text => tokenizer.Encode(text).Length);
                if (length <= most)
                {
                    fitting.Add(item);
                    longest = Math.Max(longest, length);
                    continue;
                }
                tooLong++;
                shortestLeftOut = Math.Min(shortestLeftOut, length);
            }
            catch (ArgumentException exception)
            {
                unspelt++;
                reason ??= exception
                    .Message.Replace(" (Parameter 'text')", "", StringComparison.Ordinal)
                    .Replace("\n", "\\n", StringComparison.Ordinal);
            }
        }
        string[] reasons =
        [
            .. tooLong > 0
                ? [$"{tooLong} have more than the {most} tokens that fit into the model's context (the shortest of them {shortestLeftOut})"]
                : Array.Empty<string>(),
            .. unspelt > 0 ? [$"{unspelt} have text that the tokenizer cannot encode (the first: {reason})"] : Array.Empty<string>(),
        ];
        if (fitting.Count < 2)
            throw new ArgumentException(
                $"{fitting.Count} of {items.Count} examples can be used, expected at least 2: {string.Join("; ", reasons)}. A "
                    + "shorter --template may help"
            );
        if (reasons.Length > 0)
            (output ?? Console.Out).WriteLine($"{fitting.Count} of {items.Count} examples are used: {string.Join("; ", reasons)}");
        return new Fitted<T>(fitting, longest);
    }

    /// <summary>Returns true if a model's directory has a chat template.</summary>
    public static bool HasChatTemplate(string modelFolder)
    {
        try
        {
            ChatTemplate.Load(modelFolder);
            return true;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }

    private static InstructionTemplate ChatOf(string folder)
    {
        try
        {
            // Some templates write the current date.
            return InstructionTemplate.Chat(ChatTemplate.Load(folder), new ChatOptions { Now = DateTime.Now });
        }
        catch (FileNotFoundException exception)
        {
            throw new ArgumentException($"{exception.Message}; --template plain, alpaca or a format of your own needs none", exception);
        }
    }
}
