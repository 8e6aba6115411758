using System.Text.Json;
using PostTrain.Data;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Chat;

public sealed class ChatTemplateTests : IDisposable
{
    private const string Marked =
        "{{ bos_token }}{% for m in messages %}[{{ m.role[0] }}]{% if m.role == 'assistant' %}{% generation %}{{ m.content "
        + "}}{{ eos_token }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt "
        + "%}[a]{% endif %}";
    private static readonly string Plain = Marked
        .Replace("{% generation %}", "", StringComparison.Ordinal)
        .Replace("{% endgeneration %}", "", StringComparison.Ordinal);
    private static readonly Dictionary<string, string> Tokens = new() { ["bos_token"] = "<", ["eos_token"] = ">" };
    private static readonly ChatMessage[] Talk = [new("user", "Hi"), new("assistant", "Yo"), new("user", "more"), new("assistant", "🙂!")];

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    /// <summary>One token a code point; ids are code points.</summary>
    private sealed class CodePointTokenizer : IOffsetTokenizer
    {
        public int VocabularySize => 0x110000;

        public int? EndOfSequenceId => null;

        public int PaddingId => 0;

        public int[] Encode(string text) => EncodeWithOffsets(text, false).Ids;

        public string Decode(ReadOnlySpan<int> ids) => string.Concat(ids.ToArray().Select(char.ConvertFromUtf32));

        public TokenEncoding EncodeWithOffsets(string text, bool addSpecialTokens)
        {
            List<int> ids = [];
            List<(int, int)> offsets = [];
            int at = 0;
            foreach (var rune in text.EnumerateRunes())
            {
                ids.Add(rune.Value);
                offsets.Add((at, at += rune.Utf16SequenceLength));
            }
            return new TokenEncoding([.. ids], [.. offsets]);
        }
    }

    [Fact]
    public void GenerationBlocks_GiveSpansAndMask()
    {
        var chat = new ChatTemplate(Marked, Tokens).Render(Talk);
        Assert.Equal("<[u]Hi[a]Yo>[u]more[a]🙂!>", chat.Text);
        Assert.Equal(["Yo>", "🙂!>"], chat.AssistantSpans!.Select(span => chat.Text.Text[span.Start..span.End]));
        var encoded = chat.Encode(new CodePointTokenizer());
        Assert.Equal("0000000001110000000000111", string.Concat(encoded.AssistantMask!.Select(counts => counts ? '1' : '0')));
    }

    [Fact]
    public void WithoutGenerationBlocks_ThereIsNoMask()
    {
        var template = new ChatTemplate(Plain, Tokens);
        Assert.Null(template.Render(Talk).AssistantSpans);
        Assert.Null(template.Encode(new CodePointTokenizer(), Talk).AssistantMask);
    }

    /// <summary>Where a template marks the whole turn, rendering its beginnings finds the same spans.</summary>
    [Fact]
    public void Prefixes_GiveTheSpansOfTheMarkedTemplate()
    {
        var byPrefixes = new ChatTemplate(Plain, Tokens).RenderByPrefixes(Talk);
        var marked = new ChatTemplate(Marked, Tokens).Render(Talk);
        Assert.Equal(marked.Text, byPrefixes.Text);
        Assert.Equal(marked.AssistantSpans, byPrefixes.AssistantSpans);
    }

    [Fact]
    public void Prefixes_ThatChangeAreRefused()
    {
        var template = new ChatTemplate("{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}");
        Assert.Contains(
            "message 1",
            Assert.Throws<ArgumentException>(() => template.RenderByPrefixes(Talk)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("{{ m.content }}", "so far ", "so far ")]
    [InlineData("{{ m.content|trim }}", " so far ", "so far")]
    [InlineData("{{ m.content|trim }}", "a>b", "a>b")]
    public void FinalMessage_IsLeftOpen(string content, string text, string expected)
    {
        var template = new ChatTemplate("{% for m in messages %}<" + content + ">{% endfor %}");
        Assert.Equal(
            "<a><" + expected,
            template.Render([new("user", "a"), new("assistant", text)], new ChatOptions { ContinueFinalMessage = true }).Text
        );
    }

    [Fact]
    public void FinalMessage_OfPartsContinuesItsLastText()
    {
        var template = new ChatTemplate("{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %}{% endfor %}");
        var message = new ChatMessage("assistant", null).With(
            "content",
            new object[] { new { text = "a" }, new { text = "b" }, new { image = "c" } }
        );
        Assert.Equal("<a><b", template.Render([message], new ChatOptions { ContinueFinalMessage = true }).Text);
    }

    [Fact]
    public void FinalMessage_ThatTheTemplateOmitsIsRefused()
    {
        var template = new ChatTemplate("{{ messages[0].content }}");
        Assert.Throws<ArgumentException>(() => template.Render(Talk, new ChatOptions { ContinueFinalMessage = true }));
        Assert.Throws<ArgumentException>(() =>
            template.Render(Talk, new ChatOptions { ContinueFinalMessage = true, AddGenerationPrompt = true })
        );
        Assert.Throws<ArgumentException>(() => template.Render([new("assistant", null)], new ChatOptions { ContinueFinalMessage = true }));
        Assert.Throws<ArgumentException>(() => template.Render([]));
    }

    [Fact]
    public void Directory_FilesReplaceTheConfiguration()
    {
        directory.Write(
            "tokenizer_config.json",
            """{"chat_template": "config", "bos_token": {"content": "<b>"}, "eos_token": "<e>", "pad_token": null,"""
                + """ "extra_special_tokens": {"image_token": "<i>"}}"""
        );
        directory.Write("special_tokens_map.json", """{"eos_token": "old", "unk_token": "<u>"}""");
        Assert.Equal("config", ChatTemplate.Load(directory.Path).Render(Talk).Text);
        directory.Write("chat_template.jinja", "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ image_token }}{{ pad_token is defined }}");
        Assert.Equal("<b><e><u><i>False", ChatTemplate.Load(directory.Path).Render(Talk).Text);
    }

    [Fact]
    public void NamedTemplates_AreChosenByNameOrByTools()
    {
        directory.Write(
            "tokenizer_config.json",
            """{"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use","""
                + """ "template": "tools {{ tools|length }}"}, {"name": "rag", "template": "rag"}]}"""
        );
        var template = ChatTemplate.Load(directory.Path);
        Assert.Equal("plain", template.Render(Talk).Text);
        Assert.Equal("rag", template.Render(Talk, new ChatOptions { Template = "rag" }).Text);
        Assert.Equal(
            "tools 1",
            template.Render(Talk, new ChatOptions { Tools = [JsonSerializer.SerializeToElement(new { name = "f" })] }).Text
        );
        Assert.Contains(
            "rag",
            Assert.Throws<ArgumentException>(() => template.Render(Talk, new ChatOptions { Template = "other" })).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("{\"chat_template\": \"{{ a\"}", "line 1, column 3")]
    [InlineData("{\"chat_template\": 3}", "is 3, expected a string or a list")]
    [InlineData("{\"chat_template\": [{\"name\": \"a\"}]}", "expected an object with the strings")]
    [InlineData("[1]", "expected an object")]
    [InlineData("{\"chat_template\": \"\\ud800\"}", "tokenizer_config.json")]
    [InlineData("{", "tokenizer_config.json")]
    public void BrokenConfigurations_AreNamed(string config, string reason)
    {
        directory.Write("tokenizer_config.json", config);
        var exception = Assert.Throws<InvalidDataException>(() => ChatTemplate.Load(directory.Path));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer_config.json", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DirectoryWithoutTemplate_IsNamed()
    {
        directory.Write("tokenizer_config.json", "{\"chat_template\": null}");
        Assert.Throws<FileNotFoundException>(() => ChatTemplate.Load(directory.Path));
    }

    [Fact]
    public void Conversations_AreReadFromJsonLines()
    {
        var path = directory.Write(
            "chat.jsonl",
            """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": null,"""
                + """ "tool_calls": [{"id": 1}]}], "tools": [{"name": "f"}]}"""
        );
        var conversation = Assert.Single(JsonLines.Read<Conversation>(path));
        Assert.Equal(["user: Hi", "assistant: null"], conversation.Messages.Select(message => message.ToString()));
        Assert.Equal("1", conversation.Messages[1]["tool_calls"]!.Value[0].GetProperty("id").GetRawText());
        Assert.Single(conversation.Tools!);
        JsonLines.Write(path, [conversation]);
        Assert.Equal(
            conversation.Messages.Select(message => message.ToString()),
            JsonLines.Read<Conversation>(path)[0].Messages.Select(message => message.ToString())
        );
        directory.Write("chat.jsonl", """{"messages": [{"content": "Hi"}]}""");
        Assert.Contains(
            "line 1",
            Assert.Throws<InvalidDataException>(() => JsonLines.Read<Conversation>(path)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Messages_TellAbsentFieldsFromNull()
    {
        var template = new ChatTemplate("{{ messages[0].name is defined }}{{ messages[0].content is none }}{{ messages[0].n }}");
        Assert.Equal("FalseTrue3", template.Render([new ChatMessage("user", null).With("n", 3)]).Text);
        Assert.Throws<ArgumentException>(() => new ChatMessage("user", "a").With("role", 3));
        Assert.Equal("tool", new ChatMessage("user", "a").With("role", "tool").Role);
    }

    [Fact]
    public void SetTimeAndVariables_ReachTheTemplate()
    {
        var template = new ChatTemplate(
            "{{ strftime_now('%Y') if strftime_now is defined else 'none' }}{{ enable_thinking }}{{ tools is none }}"
        );
        Assert.Equal("noneTrue", template.Render(Talk).Text);
        Assert.Equal(
            "2024FalseTrue",
            template
                .Render(
                    Talk,
                    new ChatOptions
                    {
                        Now = new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc),
                        Variables = new Dictionary<string, object?> { ["enable_thinking"] = false },
                    }
                )
                .Text
        );
    }
}
