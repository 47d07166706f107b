# Prints what Perl's Email::MIME reads in each message: a line of JSON per file. Every warning is a defect.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Email::MIME;
use JSON::PP;

my $json = JSON::PP->new->utf8->canonical;
my @defects;
local $SIG{__WARN__} = sub { push @defects, @_ };

sub boxes {
	my ($msg, $key) = @_;
	my $list = $msg->header_as_obj($key) or return [];
	return [map { { name => $_->phrase // '', address => $_->address } } $list->addresses];
}

sub file {
	my ($part, $disposition) = @_;
	my $data = $part->body;
	my $id = $part->header('Content-ID') // '';
	$id =~ s/^<|>$//g;
	my ($type) = $part->content_type =~ /^([^;\s]+)/;
	return {
		name => $part->filename // '', type => lc $type, size => length $data, sha256 => sha256_hex($data),
		inline => $disposition =~ /^inline/i ? JSON::PP::true : JSON::PP::false, id => $id,
	};
}

for my $name (@ARGV) {
	@defects = ();
	open my $f, '<:raw', $name or die "$name: $!";
	my $text = do { local $/; <$f> };
	my %out = (text => '', html => '', files => []);
	eval {
		my $msg = Email::MIME->new($text);
		$out{subject} = $msg->header_str('Subject');
		$out{$_} = boxes($msg, $_) for qw(from to cc);
		push @defects, 'a Bcc field' if defined $msg->header('Bcc');
		$msg->walk_parts(sub {
			my ($part) = @_;
			return if $part->subparts;
			my $disposition = $part->header('Content-Disposition') // '';
			my ($kind) = $part->content_type =~ m{^text/(plain|html)};
			if ($kind && !$disposition) {
				$out{$kind eq 'plain' ? 'text' : 'html'} .= $part->body_str;
			} else {
				push @{$out{files}}, file($part, $disposition);
			}
		});
		1;
	} or push @defects, $@;
	print $json->encode({%out, file => $name, defects => [@defects]}), "\n";
}
