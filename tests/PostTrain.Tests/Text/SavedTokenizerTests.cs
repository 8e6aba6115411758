using System.Text;
using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Text;

public sealed class SavedTokenizerTests : IDisposable
{
    private const string Template = "{% for m in messages -%}<{{ m.role }}>{{ m.content }}{% endfor %}";
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void EveryGoldenTokenizer_ComesBackByteForByte()
    {
        foreach (var name in (string[])["bpe-gpt2", "bpe-llama3", "bpe-qwen2", "sp-bpe", "sp-metaspace"])
        {
            var source = GoldenTokenizers.Directory(name);
            var tokenizer = TokenizerFiles.Load(source);
            var target = directory.File(name);
            TokenizerFiles.Save(tokenizer, target);
            var again = TokenizerFiles.Load(target);
            foreach (var text in (string[])["", "Hello, world!", "  äöü <s> 12", "日本\n\n"])
                Assert.Equal(tokenizer.Encode(text), again.Encode(text));
            foreach (var file in Directory.EnumerateFiles(target, "*", SearchOption.AllDirectories))
                Assert.Equal(File.ReadAllBytes(Path.Combine(source, Path.GetRelativePath(target, file))), File.ReadAllBytes(file));
            Assert.Contains(TokenizerJson.FileName, tokenizer.Files.Keys);
        }
    }

    [Fact]
    public void ModelsDirectory_IsWhole_AfterTheSourceIsGone()
    {
        using var made = new TemporaryDirectory();
        var characters = Toy.Tokenizer;
        characters.Save(made.Path);
        Directory.CreateDirectory(made.File("additional_chat_templates"));
        File.WriteAllText(made.File("chat_template.jinja"), Template);
        File.WriteAllText(made.File("additional_chat_templates/tool.jinja"), "tool " + Template);
        using var model = Toy.Model();
        var target = directory.File("model");
        // The files of another tokenizer, which would be found first or mix with the new ones.
        Directory.CreateDirectory(target);
        File.WriteAllText(Path.Combine(target, GreedyTokenizer.FileName), "a\nb\n");
        File.WriteAllText(Path.Combine(target, "chat_template.json"), "{}");

        Pretrained.Save(model, TokenizerFiles.Load(made.Path), target);

        Assert.Equal(characters.Encode("cab=12"), TokenizerFiles.Load(target).Encode("cab=12"));
        Assert.Equal(Template, File.ReadAllText(Path.Combine(target, "chat_template.jinja")));
        Assert.False(File.Exists(Path.Combine(target, GreedyTokenizer.FileName)));
        Assert.False(File.Exists(Path.Combine(target, "chat_template.json")));
        using var loaded = Pretrained.Load(target);
        Assert.Equal(model.TokenEmbeddings.shape, loaded.TokenEmbeddings.shape);
    }

    [Fact]
    public void ChatTemplates_GoAlong()
    {
        var source = directory.File("source");
        Directory.CreateDirectory(Path.Combine(source, "additional_chat_templates"));
        File.Copy(
            Path.Combine(GoldenTokenizers.Directory("bpe-gpt2"), TokenizerJson.FileName),
            Path.Combine(source, TokenizerJson.FileName)
        );
        File.WriteAllText(Path.Combine(source, "chat_template.jinja"), Template);
        File.WriteAllText(Path.Combine(source, "additional_chat_templates", "tool.jinja"), "tool " + Template);
        var target = directory.File("target");
        TokenizerFiles.Save(TokenizerFiles.Load(source), target);
        Directory.Delete(source, recursive: true);
        var chat = ChatTemplate.Load(target);
        Assert.Equal("<user>hi", chat.Render([new ChatMessage("user", "hi")]).Text);
        Assert.True(File.Exists(Path.Combine(target, "additional_chat_templates", "tool.jinja")));
    }

    [Fact]
    public void TokenizerMadeInMemory_SavesItsConfiguration()
    {
        var json = File.ReadAllBytes(Path.Combine(GoldenTokenizers.Directory("bpe-gpt2"), TokenizerJson.FileName));
        var config = new TokenizerConfig
        {
            Padding = "<pad>",
            PaddingSide = PaddingSide.Left,
            MaximumLength = 99,
            CleansUpSpaces = true,
        };
        TokenizerFiles.Save(TokenizerJson.Parse(json, config), directory.Path);
        Assert.Equal(
            config with
            {
                EndOfSequenceIds = [],
            },
            TokenizerJson.Load(directory.Path).Config with
            {
                EndOfSequenceIds = config.EndOfSequenceIds,
            }
        );
    }

    [Fact]
    public void TokenizerWithoutFiles_IsRefused_AndNothingIsWritten()
    {
        using var model = Toy.Model();
        var target = directory.File("none");
        var error = Assert.Throws<NotSupportedException>(() => Pretrained.Save(model, new Unsaved(), target));
        Assert.Contains(nameof(Unsaved), error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
    }

    private sealed class Unsaved : ITokenizer
    {
        public int VocabularySize => 4;
        public int? EndOfSequenceId => null;
        public int PaddingId => 0;

        public int[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text).Select(value => value % 4)];

        public string Decode(ReadOnlySpan<int> ids) => string.Concat(ids.ToArray());
    }
}
