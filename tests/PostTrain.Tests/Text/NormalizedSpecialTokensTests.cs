using System.Text;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

/// <summary>Special tokens that are looked for in normalised text, and are spelt as that: they are special all the same.</summary>
public sealed class NormalizedSpecialTokensTests
{
    private const string Prepend =
        """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},"""
        + """{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""";

    [Theory]
    [InlineData(Prepend, "<s> a </s>", "a")]
    [InlineData("""{"type":"Lowercase"}""", "<S> a </S>", " a ")]
    [InlineData("null", "<s> a </s>", " a ")]
    public void Decode_LeavesThemOut(string normalizer, string text, string expected)
    {
        string strip = normalizer == Prepend ? """,{"type":"Strip","content":" ","start":1,"stop":0}""" : "";
        var tokenizer = TokenizerJson.Parse(
            Encoding.UTF8.GetBytes(
                $$$"""
                {"added_tokens":[{"id":1,"content":"<s>","special":true,"normalized":true},{"id":2,"content":"</s>","special":true,"normalized":true}],
                 "normalizer":{{{normalizer}}},
                 "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"Fuse"}{{{strip}}}]},
                 "model":{"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"<s>":1,"</s>":2,"▁":3,"a":4,"▁a":5," ":6,"<":7,">":8,"/":9,"s":10},"merges":["▁ a"]}}
                """
            )
        );
        int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
        Assert.Equal(expected, tokenizer.Decode(ids));
        Assert.Equal("", tokenizer.Decode([1, 2]));
        Assert.NotEqual("", tokenizer.Decode([1, 2], skipSpecialTokens: false));
    }
}
