using System.Text.Json;
using PostTrain.Data.Records;
using PostTrain.Tests.Support;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Chat;

/// <summary>Templates whose generation prompt is not what an answered conversation has in its place: the prompt is the common beginning of
/// both.</summary>
public sealed class GenerationPromptTests
{
    private const string Users = "{% for m in messages %}{% if m.role == 'user' %}<user>{{ m.content }}{% else %}";

    // Thinking is opened for a question only; answers are shown without.
    private const string Opens =
        Users
        + "<assistant>{{ m.content.split('</think>')[-1] }}<end>{% endif %}{% endfor %}{% if add_generation_prompt "
        + "%}<assistant><think>\n{% endif %}";

    // Thinking or its closed form, by a variable; answers of the past have the closed form.
    private const string Chooses =
        Users
        + "<assistant></think>{{ m.content }}<end>{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{{ "
        + "'<think>' if thinking else '</think>' }}{% endif %}";

    // An empty thought in each answer, an open one in the prompt.
    private const string Empties =
        Users
        + "<assistant>\n<think></think>{{ m.content }}<end>\n{% endif %}{% endfor %}{% if add_generation_prompt "
        + "%}<assistant>\n<think>\n{% endif %}";

    // The end is written where no answer is asked for.
    private const string EndsAlways =
        Users
        + "<assistant>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant><think>{% else %}<eos>{% endif %}";

    [Theory]
    [InlineData(Opens, "<user>q<assistant>", "a<end>")]
    [InlineData(Chooses, "<user>q<assistant></think>", "a<end>")]
    [InlineData(Empties, "<user>q<assistant>\n<think>", "</think>a<end>\n")]
    [InlineData(EndsAlways, "<user>q<assistant>", "a<eos>")]
    public void Conversation_TakesTheCommonBeginning(string source, string prompt, string completion)
    {
        var read = InstructionTemplate.Chat(new ChatTemplate(source)).Conversation([new("user", "q"), new("assistant", "a")]);
        Assert.Equal((prompt, completion), (read.Prompt.Text, read.Completion.Text));
        Assert.True(read.Prompt.IsRendered && read.Completion.IsRendered);
    }

    [Fact]
    public void Conversation_WithThinkingOn_TakesTheCommonBeginning()
    {
        var chat = InstructionTemplate.Chat(
            new ChatTemplate(Chooses),
            new ChatOptions { Variables = new Dictionary<string, object?> { ["thinking"] = true } }
        );
        Assert.Equal("<user>q<assistant><think>", chat.Prompt("q"));
        var read = chat.Conversation([new("user", "q"), new("assistant", "a")]);
        Assert.Equal(("<user>q<assistant><", "/think>a<end>"), (read.Prompt.Text, read.Completion.Text));
    }

    // Earlier turns are not to be learnt: a template that rewrites them is refused, however its generation prompt begins.
    [Theory]
    [InlineData(
        "{% for m in messages %}<{{ m.role }}>{{ loop.length }}{{ m.content }}{% endfor %}{% if add_generation_prompt "
            + "%}<assistant>{% endif %}"
    )]
    [InlineData(
        "{{ messages|length }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt "
            + "%}<assistant><think>{% endif %}"
    )]
    public void Conversation_WhereEarlierMessagesChange_IsRefused(string source)
    {
        var chat = InstructionTemplate.Chat(new ChatTemplate(source));
        Assert.Contains(
            "changes earlier messages",
            Assert.Throws<ArgumentException>(() => chat.Conversation([new("user", "q"), new("assistant", "a")])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Pairs_OfWhichOneThinks_ShareTheBeginning()
    {
        using var directory = new TemporaryDirectory();
        const string Thinks =
            Users
            + "<assistant>{% if m.reasoning %}<think>{{ m.reasoning }}</think>{% endif %}{{ m.content }}<end>{% endif %}{% "
            + "endfor %}{% if add_generation_prompt %}<assistant><think>{% endif %}";
        string path = directory.Write(
            "pairs.jsonl",
            """{"chosen":[{"role":"user","content":"q"},"""
                + """{"role":"assistant","reasoning":"r","content":"a"}],"rejected":[{"role":"user","content":"q"},"""
                + """{"role":"assistant","content":"b"}]}"""
        );
        var pair = Assert.Single(RecordReader.Pairs(path, InstructionTemplate.Chat(new ChatTemplate(Thinks))));
        Assert.Equal(("<user>q<assistant>", "<think>r</think>a<end>", "b<end>"), (pair.Prompt.Text, pair.Chosen.Text, pair.Rejected.Text));
    }

    [Theory]
    [InlineData(Opens, "<user>q<assistant>", "a<end>")]
    [InlineData(Empties, "<user>q<assistant>\n<think>", "</think>a<end>\n")]
    public void RenderByPrefixes_MarksFromTheCommonBeginning(string source, string prompt, string completion)
    {
        var rendered = new ChatTemplate(source).RenderByPrefixes([
            new("user", "q"),
            new("assistant", "a"),
            new("user", "r"),
            new("assistant", "a"),
        ]);
        Assert.Equal(2, rendered.AssistantSpans!.Count);
        Assert.All(rendered.AssistantSpans, span => Assert.Equal(completion, rendered.Text[span.Start..span.End]));
        Assert.Equal(prompt.Length, rendered.AssistantSpans[0].Start);
    }

    [Fact]
    public void Options_ReachTheTemplate()
    {
        var tool = JsonDocument.Parse("""{"name":"add"}""").RootElement;
        var template = new ChatTemplate(
            "{{ strftime_now('%Y-%m-%d') }} {{ 'on' if enable_thinking else 'off' }} {% for t in tools %}{{ t.name }}{% "
                + "endfor %}{% for m in messages %}<{{ m.content }}>{% endfor %}"
        );
        var chat = InstructionTemplate.Chat(
            template,
            new ChatOptions
            {
                Now = new DateTime(2026, 3, 4),
                Tools = [tool],
                Variables = new Dictionary<string, object?> { ["enable_thinking"] = true },
            }
        );
        Assert.Equal("2026-03-04 on add<q>", chat.Prompt("q"));
        var read = chat.Conversation([new("user", "q"), new("assistant", "a")]);
        Assert.Equal(("2026-03-04 on add<q>", "<a>"), (read.Prompt.Text, read.Completion.Text));
        Assert.Contains(
            "strftime_now",
            Assert.Throws<TemplateException>(() => InstructionTemplate.Chat(template).Prompt("q")).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => InstructionTemplate.Chat(template, new ChatOptions { AddGenerationPrompt = true }));
        Assert.Throws<ArgumentException>(() => InstructionTemplate.Chat(template, new ChatOptions { ContinueFinalMessage = true }));
    }
}
